"""How the tests of this package ask a provider: what to build it from, and what to ask."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import cast

import pytest
from pydantic import SecretStr

from server.config.provider_settings import ProviderSettings
from server.dispatch.fold import fold_chat
from server.providers.base import Ask, Operation, Provider, ProviderContext
from server.providers.errors import ProviderError
from server.providers.http.http1 import Http1
from trunkline.v1.chat_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse, StreamChatCompletionResponse
from trunkline.v1.text_pb2 import EmbeddingList
from trunkline_json import CHAT_CHUNK, CHAT_REQUEST, EMBEDDING_REQUEST

NOW = 1_790_000_000.5
HELLO: list[object] = [{"role": "user", "content": "Hello"}]
WEATHER: dict[str, object] = {
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
}


@asynccontextmanager
async def context(type: str, **settings: object) -> AsyncIterator[ProviderContext]:
    """What a provider is built from, with an HTTP client that is open."""
    key = settings.pop("api_key", None)
    row = ProviderSettings.model_validate({"name": "tested", "type": type, **settings})
    if isinstance(key, str):
        row = row.model_copy(update={"api_key": SecretStr(key)})
    http = Http1(connect_timeout_s=5, idle_timeout_s=30, max_connections=4, keepalive_s=30)
    try:
        yield ProviderContext(row, http, lambda: NOW)
    finally:
        await http.close()


def chat_ask(body: Mapping[str, object], model: str = "asked", streamed: bool = False) -> Ask:
    """Asks for a chat completion, with the request as OpenAI's JSON; it says hello where it has no messages."""
    request = CHAT_REQUEST.parse({"model": "alias", "messages": HELLO, **body}, strict=True)
    return Ask(Operation.CHAT, request, model, streamed, timeout_s=20)


def embeddings_ask(body: Mapping[str, object], model: str = "asked", timeout_s: float = 20) -> Ask:
    """Asks for embeddings, with the request as OpenAI's JSON."""
    request = EMBEDDING_REQUEST.parse({"model": "alias", **body}, strict=True)
    return Ask(Operation.EMBEDDINGS, request, model, streamed=False, timeout_s=timeout_s)


async def chat_batches(provider: Provider, ask: Ask) -> list[StreamChatCompletionResponse]:
    """Every batch of an answer."""
    async with aclosing(provider.stream(ask)) as batches:
        return [cast(StreamChatCompletionResponse, batch) async for batch in batches]


async def failure(provider: Provider, ask: Ask) -> ProviderError:
    """The error of an ask that fails."""
    with pytest.raises(ProviderError) as raised:
        await chat_batches(provider, ask)
    return raised.value


def chunks_of(batches: list[StreamChatCompletionResponse]) -> list[ChatCompletionChunk]:
    return [chunk for batch in batches for chunk in batch.chunks]


def as_json(chunks: list[ChatCompletionChunk]) -> list[dict[str, object]]:
    """The chunks as OpenAI's JSON."""
    return [CHAT_CHUNK.render(chunk) for chunk in chunks]


async def embedded(provider: Provider, ask: Ask) -> EmbeddingList:
    """The vectors of an answer, which is one batch."""
    async with aclosing(provider.stream(ask)) as batches:
        (batch,) = [batch async for batch in batches]
    assert isinstance(batch, CreateEmbeddingsResponse)
    return batch.embeddings


async def completion(provider: Provider, ask: Ask) -> ChatCompletion:
    """The answer folded into one."""
    return fold_chat(chunks_of(await chat_batches(provider, ask)))
