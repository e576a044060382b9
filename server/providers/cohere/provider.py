"""Cohere's dialect: chat and embeddings over the second version of its API.

What is asked is written in `cohere_request` and `cohere_embeddings`, what is answered read in `cohere_answer` and
`cohere_stream`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlencode

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.cohere.answer import whole_answer
from server.providers.cohere.embeddings import embedding_bodies, embedding_list
from server.providers.cohere.errors import error_in, refusal
from server.providers.cohere.kinds import BASE_URL
from server.providers.cohere.models import PAGE_SIZE, listed_models, refuse_bad_key
from server.providers.cohere.request import chat_body
from server.providers.cohere.stream import ChatStream
from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Answer
from server.providers.sse import SseParser
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse
from trunkline.v1.text_pb2 import EmbeddingRequest

_LONGEST_WAIT_FOR_END_S = 0.5
"""How long the end of the HTTP body is waited for after the stream's own, so that the connection can be kept."""

_MOST_PAGES = 100


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
        self._base = api_root(context.settings.base_url or BASE_URL)
        self._headers = headers(context.settings)

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        if ask.operation is Operation.EMBEDDINGS:
            yield await self._embed(ask, cast(EmbeddingRequest, ask.request))
            return
        if ask.operation is not Operation.CHAT:
            raise ProviderError(Fault.UNSUPPORTED, f"The provider has no {ask.operation.value}.")
        request = cast(ChatCompletionRequest, ask.request)
        body = chat_body(ask, request, self._settings)
        async with await self._http.post(f"{self._base}/v2/chat", self._headers, body, ask.timeout_s) as answer:
            await self._refuse(answer)
            if not ask.streamed:
                yield whole_answer(await answer.body(), ask.model, int(self._clock()))
                return
            if answer.content_type != "text/event-stream":
                raise error_in(await answer.error_body()) or ProviderError(
                    Fault.PROTOCOL, "The provider's answer is not a stream."
                )
            parser = SseParser()
            stream = ChatStream(ask.model, int(self._clock()), request.stream_options.include_usage)
            while not stream.done:
                read = await answer.read()
                for batch in stream.batches(parser.feed(read) if read else parser.finish()):
                    yield batch
                if not read and not stream.done:
                    raise ProviderError(Fault.PROTOCOL, "The provider's stream ended before the answer did.")
            await _read_to_end(answer)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists; see `Provider.models`."""
        found: list[ListedModel] = []
        query = {"page_size": str(PAGE_SIZE)}
        async with _within(timeout_s):
            for _ in range(_MOST_PAGES):
                url = f"{self._base}/v1/models?{urlencode(query)}"
                async with await self._http.get(url, self._headers, timeout_s) as answer:
                    await self._refuse(answer)
                    page, token = listed_models(await answer.body())
                found.extend(page)
                if not token:
                    return found
                query["page_token"] = token
        raise ProviderError(Fault.PROTOCOL, "The provider's list of models does not end.")

    async def check(self, timeout_s: float) -> None:
        """Has the vendor look at the key, which costs nothing; see `Provider.check`."""
        url = f"{self._base}/v1/check-api-key"
        async with await self._http.post(url, self._headers, b"{}", timeout_s) as answer:
            await self._refuse(answer)
            refuse_bad_key(await answer.body())

    async def _embed(self, ask: Ask, request: EmbeddingRequest) -> CreateEmbeddingsResponse:
        answers: list[bytes] = []
        async with _within(ask.timeout_s):
            for body in embedding_bodies(ask, request):
                async with await self._http.post(f"{self._base}/v2/embed", self._headers, body, ask.timeout_s) as answer:
                    await self._refuse(answer)
                    answers.append(await answer.body())
        return CreateEmbeddingsResponse(embeddings=embedding_list(answers, ask, request))

    async def _refuse(self, answer: Answer) -> None:
        if answer.status != 200:
            raise refusal(answer.status, answer.headers, await answer.error_body(), self._clock())


def api_root(base_url: str) -> str:
    """The address without the version, which is not the same for all that the vendor has."""
    return base_url.rstrip("/").removesuffix("/v1").removesuffix("/v2")


def headers(settings: ProviderSettings) -> dict[str, str]:
    """The headers of one call; those of the settings replace its own of the same name."""
    given = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "trunkline",
        "X-Client-Name": "trunkline",
    }
    if settings.api_key is not None:
        given["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
    own = {name.lower() for name in settings.custom_headers}
    return {name: value for name, value in given.items() if name.lower() not in own} | dict(settings.custom_headers)


@asynccontextmanager
async def _within(timeout_s: float | None) -> AsyncIterator[None]:
    """Bounds several calls as one."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.") from None


async def _read_to_end(answer: Answer) -> None:
    """Lets the HTTP body end: one that breaks is no proper end, one that is only late does not matter any more.

    Raises:
        ProviderError: CONNECTION when the body breaks.
    """
    try:
        async with asyncio.timeout(_LONGEST_WAIT_FOR_END_S):
            while await answer.read():
                pass
    except TimeoutError:
        pass
