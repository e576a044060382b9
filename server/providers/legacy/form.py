"""What an older form of a vendor's API is to the provider that speaks it."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from server.providers.errors import ProviderError
from server.providers.legacy.answer import Piece
from server.providers.legacy.prompt import Plain

Json = dict[str, object]


class PieceStream(Protocol):
    """A stream on its way.

    Attributes:
        done: whether the vendor said that this is all.
    """

    done: bool

    def pieces(self, read: bytes) -> Iterator[Piece]:
        """What a read completes; an empty one says that the body has ended.

        Raises:
            ProviderError: an event is an error, or makes no sense.
        """


class Form(Protocol):
    """One older form.

    Attributes:
        base_url: where the vendor answers.
        path: where the form is.
        takes: the names of the sampling parameters that it has, by OpenAI's names.
        streams: the content type of its streams; empty where it has none.
    """

    base_url: str
    path: str
    takes: frozenset[str]
    streams: str

    def headers(self, key: str) -> dict[str, str]:
        """The headers that carry the key, and the version where there is one."""

    def body(self, plain: Plain, model: str) -> Json:
        """The body, without the wish for a stream."""

    def whole(self, body: bytes, plain: Plain) -> Piece:
        """What an unstreamed answer says.

        Raises:
            ProviderError: PROTOCOL when it is none; whatever it says, when it is an error.
        """

    def stream(self) -> PieceStream:
        """A reader of one stream, where the form has any."""

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
        """The error of an answer whose status is no success."""

    def error_in(self, body: bytes) -> ProviderError | None:
        """The error that a body holds although its status is a success; None where it holds none."""
