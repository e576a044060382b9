"""What answers of several vendors have alike as they are on the wire: how they are read, counts of tokens, arguments."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from server.providers.errors import Fault, ProviderError

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A number of tokens."""

UNREADABLE = (ValueError, RecursionError)
"""What msgspec's decoders raise: also where JSON is nested too deeply."""

T = TypeVar("T")


def decoded(
    decoder: msgspec.json.Decoder[T], body: bytes, error_in: Callable[[bytes], ProviderError | None], wrong: str
) -> T:
    """What a body says.

    Args:
        decoder: of what is expected.
        body: the body, or an event of a stream.
        error_in: finds the vendor's error in it.
        wrong: what is to be said of the provider where it is neither.

    Raises:
        ProviderError: what `error_in` finds, else PROTOCOL.
    """
    try:
        return decoder.decode(body)
    except UNREADABLE:
        raise error_in(body) or ProviderError(Fault.PROTOCOL, wrong) from None


def take_over(counted: msgspec.Struct, later: msgspec.Struct) -> None:
    """Takes over what a later event says of the usage; its counts are those of the whole answer, not to be added.

    Args:
        counted: the usage so far, which is changed.
        later: the same struct of the later event; what is None in it is not said.
    """
    for name in counted.__struct_fields__:
        value = getattr(later, name)
        if value is not None:
            setattr(counted, name, value)


def arguments_text(given: msgspec.Raw) -> str:
    """The arguments of a call that came whole, as the contract has them; `{}` where there are none.

    Raises:
        ProviderError: PROTOCOL when they are not UTF-8, which no decoder has looked at.
    """
    try:
        arguments = bytes(given).decode()
    except UnicodeDecodeError:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has a call whose arguments are no text.") from None
    return "{}" if arguments == "null" else arguments
