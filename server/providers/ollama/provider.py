"""Ollama's own dialect: chat, text completions and embeddings, with thoughts and options that its copy of OpenAI's lacks.

An address that ends in `/v1` is that copy, and is spoken to as such. What is asked is written in `ollama_request`, what is
answered read in `ollama_answer`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import cast
from uuid import uuid4

from server.providers.answer_checks import check_status, cut_short, good_body, read_to_end
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.call_headers import bearer, call_headers
from server.providers.json_lines import LineParser
from server.providers.ollama.answer import ChatStream, TextStream, embedding_list
from server.providers.ollama.errors import refusal
from server.providers.ollama.kinds import BASE_URL
from server.providers.ollama.listing import listed_models
from server.providers.ollama.request import chat_body, embeddings_body, text_body
from server.providers.openai.provider import OpenAi
from server.providers.openai.vendors import Vendor
from server.providers.unsupported import no_operation
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse
from trunkline.v1.text_pb2 import EmbeddingRequest, TextCompletionRequest

_OPERATIONS = frozenset({Operation.CHAT, Operation.TEXT, Operation.EMBEDDINGS})

_COPY = Vendor("ollama", None, (), needs_key=False, operations=_OPERATIONS, developer_role=False)
"""Its ways where it speaks OpenAI's dialect."""

_PATHS = {Operation.CHAT: "chat", Operation.TEXT: "generate", Operation.EMBEDDINGS: "embed"}


def build(context: ProviderContext) -> Provider:
    """Builds the provider of a row of the type `ollama`, in the dialect that its address is for."""
    if (context.settings.base_url or "").rstrip("/").endswith("/v1"):
        return OpenAi(context, _COPY)
    return Ollama(context)


class Ollama(Provider):
    """A provider that speaks Ollama's own dialect.

    Args:
        context: what every provider is built from.
    """

    def __init__(self, context: ProviderContext) -> None:
        self.operations = _OPERATIONS
        self._settings = context.settings
        self._http = context.http
        self._clock = context.clock
        self._base = (context.settings.base_url or BASE_URL).rstrip("/").removesuffix("/api") + "/api"
        self._headers = call_headers(context.settings, {"Accept": "*/*", **bearer(context.settings)})

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        if ask.operation not in _PATHS:
            raise no_operation(ask)
        body = self._body(ask)
        url = f"{self._base}/{_PATHS[ask.operation]}"
        async with await self._http.post(url, self._headers, body, ask.timeout_s) as answer:
            await check_status(answer, refusal, self._clock())
            if ask.operation is Operation.EMBEDDINGS:
                yield self._vectors(ask, await answer.body())
                return
            stream = self._stream_of(ask)
            if not ask.streamed:
                yield stream.whole(await answer.body())
                return
            parser = LineParser()
            while not stream.done:
                read = await answer.read()
                batch = stream.batch(parser.feed(read) if read else parser.finish())
                if batch is not None:
                    yield batch
                if not read and not stream.done:
                    raise cut_short()
            await read_to_end(answer)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that have been pulled; see `Provider.models`."""
        return listed_models(await self._get("tags", timeout_s))

    async def check(self, timeout_s: float) -> None:
        """Asks for the version, which costs nothing; whether a model is there it does not tell."""
        await self._get("version", timeout_s)

    def _body(self, ask: Ask) -> bytes:
        match ask.operation:
            case Operation.TEXT:
                return text_body(ask, cast(TextCompletionRequest, ask.request), self._settings)
            case Operation.EMBEDDINGS:
                return embeddings_body(ask, cast(EmbeddingRequest, ask.request))
            case _:
                return chat_body(ask, cast(ChatCompletionRequest, ask.request), self._settings)

    def _stream_of(self, ask: Ask) -> ChatStream | TextStream:
        now, usage_asked = int(self._clock()), _usage_asked(ask)
        if ask.operation is Operation.TEXT:
            return TextStream(f"cmpl-{_new_id()}", now, usage_asked)
        return ChatStream(f"chatcmpl-{_new_id()}", now, _new_id, usage_asked)

    def _vectors(self, ask: Ask, body: bytes) -> CreateEmbeddingsResponse:
        request = cast(EmbeddingRequest, ask.request)
        count = len(request.input.texts.values) if request.input.HasField("texts") else 1
        vectors = embedding_list(body, ask.model, count, as_base64=request.encoding_format == "base64")
        return CreateEmbeddingsResponse(embeddings=vectors)

    async def _get(self, path: str, timeout_s: float) -> bytes:
        async with await self._http.get(f"{self._base}/{path}", self._headers, timeout_s) as answer:
            return await good_body(answer, refusal, self._clock())


def _usage_asked(ask: Ask) -> bool:
    request = cast(ChatCompletionRequest | TextCompletionRequest, ask.request)
    return request.stream_options.include_usage


def _new_id() -> str:
    return uuid4().hex
