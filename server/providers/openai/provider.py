"""OpenAI's dialect: chat, text completions, embeddings, images and videos over HTTP, for every vendor that speaks it."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import structlog

from server.providers.answer_checks import good_body
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.capabilities import Gate
from server.providers.errors import Fault, ProviderError
from server.providers.openai.address import Address, headers_of
from server.providers.openai.answer import AnswerStream
from server.providers.openai.errors import refusal
from server.providers.openai.listing import LARGEST_LIST, check_health, listed_models
from server.providers.openai.media import media_list, media_of_chat
from server.providers.openai.reading import read_json
from server.providers.openai.request import request_body
from server.providers.openai.vendors import VENDORS, Vendor
from server.providers.openai.whole import whole_chat, whole_chat_unread, whole_embeddings, whole_text
from server.providers.sse import SseParser
from server.providers.unsupported import unsupported

_PATHS = {
    Operation.CHAT: "chat/completions",
    Operation.TEXT: "completions",
    Operation.EMBEDDINGS: "embeddings",
    Operation.IMAGES: "images/generations",
    Operation.VIDEOS: "videos/generations",
}


def build(context: ProviderContext) -> "OpenAi":
    """Builds the provider of a row whose type is one of `KINDS`."""
    vendor = next(vendor for vendor in VENDORS if vendor.type == context.settings.type)
    if context.settings.trust_finish_reason:
        vendor = replace(vendor, trusts_stop=True)
    return OpenAi(context, vendor)


class OpenAi(Provider):
    """A provider that speaks OpenAI's dialect.

    Args:
        context: what every provider is built from.
        vendor: the vendor's ways.
    """

    def __init__(self, context: ProviderContext, vendor: Vendor) -> None:
        self.operations = vendor.operations
        self._vendor = vendor
        self._name = context.settings.name
        self._gate = Gate.of(context.settings)
        self._http = context.http
        self._clock = context.clock
        self._address = Address(context.settings, vendor)
        self._headers = headers_of(context.settings, vendor)

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        body = request_body(ask, self._vendor, self._gate)
        path = _PATHS[Operation.CHAT if ask.operation in self._vendor.media_by_chat else ask.operation]
        async with await self._http.post(self._address.of(path, ask.model), self._headers, body, ask.timeout_s) as answer:
            if answer.status != 200:
                raise refusal(answer.status, answer.headers, await answer.error_body(), self._clock())
            if not ask.streamed:
                yield self._whole(ask, await answer.body())
                return
            if answer.content_type != "text/event-stream":
                read_json(await answer.error_body(), "stream")  # an error object says more
                raise ProviderError(Fault.PROTOCOL, "The provider's answer is not a stream.")
            parser = SseParser()
            stream = AnswerStream(ask, self._vendor, int(self._clock()))
            try:
                while not stream.done:
                    read = await answer.read()
                    batch = stream.batch(parser.complete(read) if read else parser.rest(), ended=not read)
                    if batch is not None:
                        yield batch
                    if not read:
                        break
                stream.end()
            finally:
                if stream.broken:
                    log = structlog.get_logger("trunkline.providers")
                    log.warning("events_skipped", provider=self._name, model=ask.model, count=stream.broken)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor lists; see `Provider.models`."""
        listing = self._vendor.listing
        if listing is None:
            raise unsupported("The provider has no list of the models that it serves here.")
        return listed_models(await self._get(listing.path, timeout_s), listing)

    async def check(self, timeout_s: float) -> None:
        """Asks the vendor for the cheapest thing that shows that it would answer; see `Provider.check`."""
        if not self._vendor.health:
            raise unsupported("The provider has nothing that tells for free whether it would answer.")
        check_health(await self._get(self._vendor.health, timeout_s), self._vendor.unhealthy, self._vendor.spent)

    def continues(self, model: str) -> bool:
        """Whether the model goes on from the beginning of an answer; see `Provider.continues`."""
        return bool(self._vendor.continuation) and not model.startswith(self._vendor.no_continuation)

    async def _get(self, path: str, timeout_s: float) -> bytes:
        async with await self._http.get(self._address.beside(path), self._headers, timeout_s) as answer:
            return await good_body(answer, refusal, self._clock(), LARGEST_LIST)

    def _whole(self, ask: Ask, body: bytes) -> Batch:
        if ask.as_json and self._vendor.unread and ask.operation is Operation.CHAT:
            unread = whole_chat_unread(body)
            if unread is not None:
                return unread
        answer = read_json(body, "answer")
        now = int(self._clock())
        match ask.operation:
            case Operation.CHAT:
                return whole_chat(answer, ask, self._vendor, now)
            case Operation.TEXT:
                return whole_text(answer, ask, self._vendor, now)
            case Operation.EMBEDDINGS:
                return whole_embeddings(answer, ask, self._vendor)
            case _ if ask.operation in self._vendor.media_by_chat:
                return media_of_chat(ask.operation, answer)
            case _:
                return media_list(ask.operation, answer)
