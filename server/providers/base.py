"""What a provider is to the rest of the server: one method, `stream`, and one kind of failure, `ProviderError` (errors.py).

A provider maps the contract's messages to its vendor's wire format and back. It knows its settings and its HTTP client, and
nothing of routes, callers, keys of callers or money.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from server.config.provider_settings import ProviderSettings
from server.providers.http import Http
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    CreateImagesResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest

Request = ChatCompletionRequest | TextCompletionRequest | EmbeddingRequest | ImageRequest
Batch = StreamChatCompletionResponse | StreamTextCompletionResponse | CreateEmbeddingsResponse | CreateImagesResponse


class Operation(StrEnum):
    """What is asked of a provider; it decides the types of the request and of the batches."""

    CHAT = "chat"
    TEXT = "text"
    EMBEDDINGS = "embeddings"
    IMAGES = "images"


@dataclass(slots=True)
class Ask:
    """One request to one provider.

    Attributes:
        operation: what is asked.
        request: the contract's request; not to be changed, several providers may get it one after the other.
        model: the provider's name of the model, to be sent instead of the request's.
        streamed: whether the vendor should stream; else its unstreamed call is made and yields one batch.
        as_json: whether a chat answer may be handed on as the vendor's own JSON, in `chunks_json`.
        timeout_s: how long the whole answer may take; None: no limit.
        request_id: for the vendor's logs, where it takes one.
    """

    operation: Operation
    request: Request
    model: str
    streamed: bool
    as_json: bool = False
    timeout_s: float | None = None
    request_id: str = ""


class Provider(Protocol):
    """A configured endpoint that serves models.

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
            each with at least one chunk; embeddings and images their one response. An unstreamed chat or text answer is
            one batch with one chunk that holds the whole of it. The generator returns only after the answer's proper end.

        Raises:
            ProviderError: the vendor could not be reached, refused, or broke its protocol. Closing the generator, or
                cancelling its task, closes the connection.
        """


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
