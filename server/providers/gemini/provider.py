"""Gemini's dialect: chat and embeddings over Google's Generative Language API.

What is asked is written in `gemini_request`, what is answered read in `gemini_answer`.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast
from urllib.parse import quote, urlencode
from uuid import uuid4

from server.config.provider_settings import ProviderSettings
from server.providers.answer_checks import check_status, check_stream, good_body
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.call_headers import call_headers
from server.providers.gemini.answer import AnswerReader
from server.providers.gemini.embeddings import Vectors, vendor_bodies
from server.providers.gemini.errors import error_in, refusal
from server.providers.gemini.kinds import HOST, VERSION
from server.providers.gemini.models import listed_models
from server.providers.gemini.request import vendor_request
from server.providers.several_calls import all_pages, within
from server.providers.sse import SseParser, events_of
from server.providers.unsupported import no_operation
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse, StreamChatCompletionResponse
from trunkline.v1.text_pb2 import EmbeddingRequest

_VERSIONS = ("v1", "v1beta", "v1alpha")
_PAGE_SIZE = 1000


def build(context: ProviderContext) -> "Gemini":
    """Builds the provider of a row of the type `gemini`."""
    return Gemini(context)


class Gemini(Provider):
    """A provider that speaks Gemini's dialect.

    Args:
        context: what every provider is built from.
    """

    def __init__(self, context: ProviderContext) -> None:
        self.operations = frozenset({Operation.CHAT, Operation.EMBEDDINGS})
        self._settings = context.settings
        self._http = context.http
        self._clock = context.clock
        self._base = _base(context.settings)
        self._headers = _headers(context.settings)

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        match ask.operation:
            case Operation.CHAT:
                async with aclosing(self._chat(ask)) as batches:
                    async for batch in batches:
                        yield batch
            case Operation.EMBEDDINGS:
                yield await self._embeddings(ask)
            case _:
                raise no_operation(ask)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists; see `Provider.models`."""
        async with within(timeout_s):
            return await all_pages(lambda token: self._page(_PAGE_SIZE, token, timeout_s))

    async def check(self, timeout_s: float) -> None:
        """Asks for a list of one model, which costs nothing and needs the key; see `Provider.check`."""
        await self._page(1, "", timeout_s)

    async def _chat(self, ask: Ask) -> AsyncGenerator[StreamChatCompletionResponse, None]:
        request = cast(ChatCompletionRequest, ask.request)
        body = vendor_request(ask, request, self._settings)
        reader = AnswerReader(
            ask.model, max(request.n, 1), int(self._clock()), request.stream_options.include_usage, lambda: uuid4().hex
        )
        method = "streamGenerateContent?alt=sse" if ask.streamed else "generateContent"
        url = f"{self._base}/{_resource(ask.model)}:{method}"
        async with await self._http.post(url, self._headers, body, ask.timeout_s) as answer:
            await check_status(answer, refusal, self._clock())
            if not ask.streamed:
                yield reader.whole(await answer.body())
                return
            await check_stream(answer, error_in)
            parser = SseParser()
            while read := await answer.read():
                for batch in reader.batches(parser.feed(read)):
                    yield batch
            rest = parser.rest()
            if error := error_in(rest):  # told without a word of framing
                raise error
            for batch in reader.batches(events_of(rest)):
                yield batch
            for batch in reader.end():
                yield batch

    async def _embeddings(self, ask: Ask) -> CreateEmbeddingsResponse:
        request = cast(EmbeddingRequest, ask.request)
        resource = _resource(ask.model)
        vectors = Vectors(ask.model, in_base64=request.encoding_format == "base64")
        async with within(ask.timeout_s):
            for body, count in vendor_bodies(request, resource):
                url = f"{self._base}/{resource}:batchEmbedContents"
                async with await self._http.post(url, self._headers, body, ask.timeout_s) as answer:
                    vectors.add(await good_body(answer, refusal, self._clock()), count)
        return CreateEmbeddingsResponse(embeddings=vectors.embeddings())

    async def _page(self, size: int, token: str, timeout_s: float) -> tuple[list[ListedModel], str]:
        query = urlencode({"pageSize": size, **({"pageToken": token} if token else {})})
        async with await self._http.get(f"{self._base}/models?{query}", self._headers, timeout_s) as answer:
            return listed_models(await good_body(answer, refusal, self._clock()))


def _base(settings: ProviderSettings) -> str:
    """The address with its version: the row's own, else what the address ends with, else the usual one."""
    base = (settings.base_url or HOST).rstrip("/")
    root, _, last = base.rpartition("/")
    if last not in _VERSIONS:
        root, last = base, VERSION
    return f"{root}/{settings.api_version or last}"


def _resource(model: str) -> str:
    """The model's name as a path; tuned models have one of their own."""
    for folder in ("tunedModels", "models"):
        if model.startswith(f"{folder}/"):
            return f"{folder}/{quote(model[len(folder) + 1 :], safe='')}"
    return f"models/{quote(model, safe='')}"


def _headers(settings: ProviderSettings) -> dict[str, str]:
    key = settings.api_key
    return call_headers(settings, {} if key is None else {"x-goog-api-key": key.get_secret_value()})
