"""Anthropic's dialect: chat over the Messages API, in the two versions that are in use.

What is asked is written in `anthropic_request`, what is answered read in `anthropic_answer` and `anthropic_stream`, and the
list of models in `anthropic_listing`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import cast

from server.config.provider_settings import ProviderSettings
from server.providers.anthropic.answer import whole_message
from server.providers.anthropic.errors import error_in, refusal
from server.providers.anthropic.kinds import BASE_URL
from server.providers.anthropic.listing import ask_for_page, list_models
from server.providers.anthropic.models import model_traits
from server.providers.anthropic.request import NEWEST_VERSION, vendor_request
from server.providers.anthropic.seam import Seam
from server.providers.anthropic.stream import MessageStream
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Answer
from server.providers.sse import SseParser
from trunkline.v1.chat_pb2 import ChatCompletionRequest

_LONGEST_WAIT_FOR_END_S = 0.5
"""How long the end of the HTTP body is waited for after the stream's own, so that the connection can be kept."""


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
            raise ProviderError(Fault.UNSUPPORTED, f"The provider has no {ask.operation.value}.")
        request = cast(ChatCompletionRequest, ask.request)
        wanted = vendor_request(ask, request, self._settings)
        headers = _headers(self._settings, wanted.version)
        async with await self._http.post(self._url, headers, wanted.body, ask.timeout_s) as answer:
            if answer.status != 200:
                raise refusal(answer.status, answer.headers, await answer.error_body(), self._clock())
            if not ask.streamed:
                yield whole_message(await answer.body(), int(self._clock()), Seam(ask.prefix))
                return
            if answer.content_type != "text/event-stream":
                raise error_in(await answer.error_body()) or ProviderError(
                    Fault.PROTOCOL, "The provider's answer is not a stream."
                )
            parser = SseParser()
            stream = MessageStream(int(self._clock()), request.stream_options.include_usage, Seam(ask.prefix))
            while not stream.done:
                read = await answer.read()
                for batch in stream.batches(parser.feed(read) if read else parser.finish()):
                    yield batch
                if not read and not stream.done:
                    raise ProviderError(Fault.PROTOCOL, "The provider's stream ended before the answer did.")
            await _read_to_end(answer)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists, without the retired ones; see `Provider.models`."""
        return await list_models(self._http, self._models_url, self._listing_headers(), timeout_s, self._clock)

    async def check(self, timeout_s: float) -> None:
        """Asks for one line of the list, which is free and takes a good key."""
        await ask_for_page(self._http, f"{self._models_url}?limit=1", self._listing_headers(), timeout_s, self._clock)

    def continues(self, model: str) -> bool:
        """Whether the model is one of the older ones, which go on from a given beginning."""
        return model_traits(model).continues

    def _listing_headers(self) -> dict[str, str]:
        return _headers(self._settings, self._settings.api_version or NEWEST_VERSION)


async def _read_to_end(answer: Answer) -> None:
    """Lets the HTTP body end; the answer is whole already, so that nothing which goes wrong here matters."""
    with suppress(ProviderError, TimeoutError):
        async with asyncio.timeout(_LONGEST_WAIT_FOR_END_S):
            while await answer.read():
                pass


def _headers(settings: ProviderSettings, version: str) -> dict[str, str]:
    """The headers of one call.

    The newest version's packages send the key as a bearer token, the older ones as `x-api-key`. Source: anthropic 2.11,
    `_client.py` (`_api_key_auth`), read 2026-11; https://platform.claude.com/docs/en/api/migration-2026-10-21 (2026-11).
    """
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "trunkline",
        "anthropic-version": version,
    }
    if settings.api_key is not None:
        key = settings.api_key.get_secret_value()
        if version >= NEWEST_VERSION:
            headers["Authorization"] = f"Bearer {key}"
        else:
            headers["x-api-key"] = key
    own = {name.lower() for name in settings.custom_headers}
    return {name: value for name, value in headers.items() if name.lower() not in own} | dict(settings.custom_headers)
