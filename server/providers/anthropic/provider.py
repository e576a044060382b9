"""Anthropic's dialect: chat over the Messages API, in the two versions that are in use.

What is asked is written in `anthropic_request`, what is answered read in `anthropic_answer` and `anthropic_stream`, and the
list of models in `anthropic_listing`.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import cast
from urllib.parse import quote

from server.config.provider_settings import ProviderSettings
from server.providers.answer_checks import check_status, check_stream, cut_short, good_body, read_to_end
from server.providers.anthropic.answer import whole_message
from server.providers.anthropic.errors import error_in, refusal
from server.providers.anthropic.kinds import BASE_URL
from server.providers.anthropic.listing import listed_models
from server.providers.anthropic.models import model_traits
from server.providers.anthropic.request import NEWEST_VERSION, vendor_request
from server.providers.anthropic.seam import Seam
from server.providers.anthropic.stream import MessageStream
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.call_headers import call_headers
from server.providers.several_calls import all_pages, within
from server.providers.sse import SseParser
from server.providers.unsupported import no_operation
from trunkline.v1.chat_pb2 import ChatCompletionRequest

_PAGE_SIZE = 1000


def build(context: ProviderContext) -> "Anthropic":
    """Builds the provider of a row of the type `anthropic`."""
    return Anthropic(context)


class Anthropic(Provider):
    """A provider that speaks Anthropic's dialect.

    Args:
        context: what every provider is built from.
    """

    def __init__(self, context: ProviderContext) -> None:
        self.operations = frozenset({Operation.CHAT})
        self._settings = context.settings
        self._http = context.http
        self._clock = context.clock
        base = (context.settings.base_url or BASE_URL).rstrip("/").removesuffix("/v1")
        self._url = f"{base}/v1/messages"
        self._models_url = f"{base}/v1/models"

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        if ask.operation is not Operation.CHAT:
            raise no_operation(ask)
        request = cast(ChatCompletionRequest, ask.request)
        wanted = vendor_request(ask, request, self._settings)
        headers = _headers(self._settings, wanted.version)
        async with await self._http.post(self._url, headers, wanted.body, ask.timeout_s) as answer:
            await check_status(answer, refusal, self._clock())
            if not ask.streamed:
                yield whole_message(await answer.body(), int(self._clock()), Seam(ask.prefix))
                return
            await check_stream(answer, error_in)
            parser = SseParser()
            stream = MessageStream(int(self._clock()), request.stream_options.include_usage, Seam(ask.prefix))
            while not stream.done:
                read = await answer.read()
                for batch in stream.batches(parser.feed(read) if read else parser.finish()):
                    yield batch
                if not read and not stream.done:
                    raise cut_short()
            await read_to_end(answer)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists, without the retired ones; see `Provider.models`."""
        async with within(timeout_s):
            return await all_pages(lambda last: self._page(last, timeout_s))

    async def check(self, timeout_s: float) -> None:
        """Asks for one line of the list, which is free and takes a good key."""
        await self._get("?limit=1", timeout_s)

    def continues(self, model: str) -> bool:
        """Whether the model is one of the older ones, which go on from a given beginning."""
        return model_traits(model).continues

    async def _page(self, last: str, timeout_s: float) -> tuple[list[ListedModel], str]:
        after = f"&after_id={quote(last, safe='')}" if last else ""
        return listed_models(await self._get(f"?limit={_PAGE_SIZE}{after}", timeout_s))

    async def _get(self, query: str, timeout_s: float) -> bytes:
        headers = _headers(self._settings, self._settings.api_version or NEWEST_VERSION)
        async with await self._http.get(f"{self._models_url}{query}", headers, timeout_s) as answer:
            return await good_body(answer, refusal, self._clock())


def _headers(settings: ProviderSettings, version: str) -> dict[str, str]:
    """The headers of one call.

    The newest version's packages send the key as a bearer token, the older ones as `x-api-key`. Source: anthropic 2.11,
    `_client.py` (`_api_key_auth`), read 2026-11; https://platform.claude.com/docs/en/api/migration-2026-10-21 (2026-11).
    """
    headers = {"anthropic-version": version}
    if settings.api_key is not None:
        key = settings.api_key.get_secret_value()
        if version >= NEWEST_VERSION:
            headers["Authorization"] = f"Bearer {key}"
        else:
            headers["x-api-key"] = key
    return call_headers(settings, headers)
