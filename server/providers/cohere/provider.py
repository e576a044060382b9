"""Cohere's dialect: chat and embeddings over the second version of its API.

What is asked is written in `cohere_request` and `cohere_embeddings`, what is answered read in `cohere_answer` and
`cohere_stream`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import cast
from urllib.parse import urlencode

from server.providers.answer_checks import check_status, check_stream, cut_short, good_body, read_to_end
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.call_headers import bearer, call_headers
from server.providers.cohere.answer import whole_answer
from server.providers.cohere.embeddings import embedding_bodies, embedding_list
from server.providers.cohere.errors import error_in, refusal
from server.providers.cohere.kinds import BASE_URL
from server.providers.cohere.models import PAGE_SIZE, listed_models, refuse_bad_key
from server.providers.cohere.request import chat_body
from server.providers.cohere.stream import ChatStream
from server.providers.several_calls import all_pages, within
from server.providers.sse import SseParser
from server.providers.unsupported import no_operation
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse
from trunkline.v1.text_pb2 import EmbeddingRequest


def build(context: ProviderContext) -> "Cohere":
    """Builds the provider of a row of the type `cohere`."""
    return Cohere(context)


class Cohere(Provider):
    """A provider that speaks Cohere's dialect.

    Args:
        context: what every provider is built from.
    """

    def __init__(self, context: ProviderContext) -> None:
        self.operations = frozenset({Operation.CHAT, Operation.EMBEDDINGS})
        self._settings = context.settings
        self._http = context.http
        self._clock = context.clock
        self._base = _root(context.settings.base_url or BASE_URL)
        vendors = {"X-Client-Name": "trunkline", **bearer(context.settings)}
        self._headers = call_headers(context.settings, vendors)

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        if ask.operation is Operation.EMBEDDINGS:
            yield await self._embed(ask, cast(EmbeddingRequest, ask.request))
            return
        if ask.operation is not Operation.CHAT:
            raise no_operation(ask)
        request = cast(ChatCompletionRequest, ask.request)
        body = chat_body(ask, request, self._settings)
        async with await self._http.post(f"{self._base}/v2/chat", self._headers, body, ask.timeout_s) as answer:
            await check_status(answer, refusal, self._clock())
            if not ask.streamed:
                yield whole_answer(await answer.body(), ask.model, int(self._clock()))
                return
            await check_stream(answer, error_in)
            parser = SseParser()
            stream = ChatStream(ask.model, int(self._clock()), request.stream_options.include_usage)
            while not stream.done:
                read = await answer.read()
                for batch in stream.batches(parser.feed(read) if read else parser.finish()):
                    yield batch
                if not read and not stream.done:
                    raise cut_short()
            await read_to_end(answer)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists; see `Provider.models`."""
        async with within(timeout_s):
            return await all_pages(lambda token: self._page(token, timeout_s))

    async def check(self, timeout_s: float) -> None:
        """Has the vendor look at the key, which costs nothing; see `Provider.check`."""
        refuse_bad_key(await self._post("v1/check-api-key", b"{}", timeout_s))

    async def _embed(self, ask: Ask, request: EmbeddingRequest) -> CreateEmbeddingsResponse:
        async with within(ask.timeout_s):
            answers = [await self._post("v2/embed", body, ask.timeout_s) for body in embedding_bodies(ask, request)]
        return CreateEmbeddingsResponse(embeddings=embedding_list(answers, ask, request))

    async def _page(self, token: str, timeout_s: float) -> tuple[list[ListedModel], str]:
        query = urlencode({"page_size": str(PAGE_SIZE), **({"page_token": token} if token else {})})
        async with await self._http.get(f"{self._base}/v1/models?{query}", self._headers, timeout_s) as answer:
            return listed_models(await good_body(answer, refusal, self._clock()))

    async def _post(self, path: str, body: bytes, timeout_s: float | None) -> bytes:
        async with await self._http.post(f"{self._base}/{path}", self._headers, body, timeout_s) as answer:
            return await good_body(answer, refusal, self._clock())


def _root(base_url: str) -> str:
    """The address without the version, which is not the same for all that the vendor has."""
    return base_url.rstrip("/").removesuffix("/v1").removesuffix("/v2")
