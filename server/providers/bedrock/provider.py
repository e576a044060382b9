"""Amazon Bedrock's dialect: chat over Converse and ConverseStream, for every model that Bedrock has.

What is asked is written in `bedrock_request`, what is answered read in `bedrock_answer` and `bedrock_stream`; `bedrock_auth`
shows who asks, and the lists of models are read in `bedrock_listing`.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import cast
from urllib.parse import quote

from server.providers.answer_checks import check_status, cut_short, good_body, read_to_end
from server.providers.anthropic.models import model_traits
from server.providers.anthropic.seam import Seam
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.bedrock.answer import whole_answer
from server.providers.bedrock.auth import (
    Auth,
    BearerAuth,
    SignatureAuth,
    Signer,
    load_signer,
    region_of,
)
from server.providers.bedrock.errors import error_name, refusal
from server.providers.bedrock.eventstream import EventStreamParser
from server.providers.bedrock.listing import Page, control_plane, listed_models, read_page
from server.providers.bedrock.request import vendor_body
from server.providers.bedrock.stream import ConverseStream
from server.providers.call_headers import call_headers
from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Answer
from server.providers.several_calls import all_pages
from server.providers.unsupported import no_operation, unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest

_AS_IT_IS = ":@!$&'()*,;="
"""What a path may hold as it is; HTTP clients send it so even where it is encoded, and the signature would not fit."""


def build(context: ProviderContext) -> "Bedrock":
    """Builds the provider of a row of the type `bedrock`."""
    return Bedrock(context, load_signer)


class Bedrock(Provider):
    """A provider that speaks Bedrock's dialect.

    Args:
        context: what every provider is built from.
        load: makes what signs requests for a region, where the row has no key.
    """

    def __init__(self, context: ProviderContext, load: Callable[[str | None], Signer]) -> None:
        self.operations = frozenset({Operation.CHAT})
        self._settings = context.settings
        self._http = context.http
        self._clock = context.clock
        self._base = (context.settings.base_url or "").rstrip("/")
        key = context.settings.api_key
        region = region_of(self._base)
        self._auth: Auth = SignatureAuth(lambda: load(region)) if key is None else BearerAuth(key.get_secret_value())

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        if ask.operation is not Operation.CHAT:
            raise no_operation(ask)
        request = cast(ChatCompletionRequest, ask.request)
        body = vendor_body(ask, request, self._settings)
        url = f"{self._base}/model/{quote(ask.model, safe=_AS_IT_IS)}/{'converse-stream' if ask.streamed else 'converse'}"
        headers = await self._auth.headers("POST", url, self._headers(), body)
        async with await self._http.post(url, headers, body, ask.timeout_s) as answer:
            await check_status(answer, refusal, self._clock())
            id, now, seam = self._id(answer, ask), int(self._clock()), Seam(ask.prefix)
            if not ask.streamed:
                yield whole_answer(await answer.body(), id, ask.model, now, seam)
                return
            if answer.content_type != "application/vnd.amazon.eventstream":
                raise ProviderError(Fault.PROTOCOL, "The provider's answer is not a stream.")
            parser = EventStreamParser()
            stream = ConverseStream(id, ask.model, now, request.stream_options.include_usage, seam)
            while not stream.done:
                if not (read := await answer.read()):
                    raise cut_short()
                for batch in stream.batches(parser.feed(read)):
                    yield batch
            await read_to_end(answer)

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models and the inference profiles that can be asked in the region; see `Provider.models`."""
        foundation = await self._get("foundation-models", timeout_s)
        return listed_models(foundation, await all_pages(lambda token: self._profiles(token, timeout_s)))

    async def check(self, timeout_s: float) -> None:
        """Asks for one line of a list, which is free; a key may be good and yet have no right to it."""
        try:
            await self._get("inference-profiles?maxResults=1", timeout_s)
        except _NotAllowed:
            raise unsupported("The provider's key may not list, which says nothing of asking.") from None

    def continues(self, model: str) -> bool:
        """Whether the model is one of the older Claudes, which go on from a given beginning."""
        return model_traits(model).continues

    async def _profiles(self, token: str, timeout_s: float) -> tuple[Sequence[Page], str]:
        after = f"&nextToken={quote(token, safe='')}" if token else ""
        page = await self._get(f"inference-profiles?maxResults=1000{after}", timeout_s)
        return (page,), page.next_token or ""

    async def _get(self, path: str, timeout_s: float) -> Page:
        control = control_plane(self._base)
        if control is None:
            raise unsupported("The provider's address has no list of models.")
        url = f"{control}/{path}"
        headers = await self._auth.headers("GET", url, self._headers(), b"")
        async with await self._http.get(url, headers, timeout_s) as answer:
            try:
                return read_page(await good_body(answer, refusal, self._clock()))
            except ProviderError as error:
                if error_name(answer.headers) == "accessdeniedexception":
                    raise _NotAllowed(error.fault, error.message, error.status) from None
                raise

    def _id(self, answer: Answer, ask: Ask) -> str:
        return answer.headers.get("x-amzn-requestid") or ask.request_id or f"bedrock-{int(self._clock() * 1000)}"

    def _headers(self) -> dict[str, str]:
        return call_headers(self._settings, {"Accept": "*/*"})


class _NotAllowed(ProviderError):
    """Whoever asks is known, and may not have this."""
