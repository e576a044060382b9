"""What a provider is to the rest of the server: one method, `stream`, and one kind of failure, `ProviderError` (errors.py).

A provider maps the contract's messages to its vendor's wire format and back. It knows its settings and its HTTP client, and
nothing of routes, callers, keys of callers or money.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec

from server.config.provider_settings import ProviderSettings
from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Http
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    CreateImagesResponse,
    CreateVideosResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest, VideoRequest

Request = ChatCompletionRequest | TextCompletionRequest | EmbeddingRequest | ImageRequest | VideoRequest
Batch = (
    StreamChatCompletionResponse
    | StreamTextCompletionResponse
    | CreateEmbeddingsResponse
    | CreateImagesResponse
    | CreateVideosResponse
)


class Operation(StrEnum):
    """What is asked of a provider; it decides the types of the request and of the batches."""

    CHAT = "chat"
    TEXT = "text"
    EMBEDDINGS = "embeddings"
    IMAGES = "images"
    VIDEOS = "videos"


class Ask(msgspec.Struct, gc=False):
    """One request to one provider.

    Attributes:
        operation: what is asked.
        request: the contract's request; not to be changed, several providers may get it one after the other.
        model: the provider's name of the model, to be sent instead of the request's.
        streamed: whether the vendor should stream; else its unstreamed call is made and yields one batch.
        as_json: whether a chat answer may be handed on as the vendor's own JSON, in `chunks_json`.
        timeout_s: how long the whole answer may take; None: no limit.
        request_id: for the vendor's logs, where it takes one.
        prefix: the beginning of the answer, which another provider has given already: the model is to go on from its last
            letter. Only for providers that say `continues`; the batches then hold what follows it.
    """

    operation: Operation
    request: Request
    model: str
    streamed: bool
    as_json: bool = False
    timeout_s: float | None = None
    request_id: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as its vendor lists it; None and empty where the vendor does not say.

    Attributes:
        id: the vendor's name of it.
        created: epoch seconds.
        owned_by: who made it.
        context_window: the most tokens of a prompt.
        max_output_tokens: the most tokens of an answer.
        capabilities: `chat`, `text`, `embeddings`, `images`, `videos`, `tools`, `vision`, `reasoning`, `json_schema`.
        input_price: US dollars for one million input tokens.
        output_price: US dollars for one million output tokens.
    """

    id: str
    created: int | None = None
    owned_by: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    input_price: Decimal | None = None
    output_price: Decimal | None = None


class Provider(Protocol):
    """A configured endpoint that serves models. Dialects inherit it; what they do not have is refused here.

    Attributes:
        operations: what it can do.
    """

    operations: frozenset[Operation]

    def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought.

        Args:
            ask: the request.

        Yields:
            Batches of the operation's type: chat `StreamChatCompletionResponse`, text `StreamTextCompletionResponse`,
            each with at least one chunk; embeddings, images and videos their one response. An unstreamed chat or text
            answer is one batch with one chunk that holds the whole of it. The generator returns only after the answer's
            proper end.

        Raises:
            ProviderError: the vendor could not be reached, refused, or broke its protocol. Closing the generator, or
                cancelling its task, closes the connection.
        """

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists.

        Raises:
            ProviderError: UNSUPPORTED where the vendor has no list; else as `stream`.
        """
        raise ProviderError(Fault.UNSUPPORTED, "The provider has no list of models.")

    async def check(self, timeout_s: float) -> None:
        """Asks the vendor for the cheapest thing that shows that it would answer.

        Raises:
            ProviderError: it would not; UNSUPPORTED where nothing free tells.
        """
        await self.models(timeout_s)

    def continues(self, model: str) -> bool:
        """Whether the model goes on from the beginning of an answer, given as the ask's `prefix`."""
        return False


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What every provider is built from.

    Attributes:
        settings: its row of the configuration.
        http: its HTTP client, opened and closed by whoever built it.
        clock: epoch seconds, for answers whose vendor gives no time.
    """

    settings: ProviderSettings
    http: Http
    clock: Callable[[], float] = field(repr=False)
