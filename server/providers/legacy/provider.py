"""The older forms that some vendors' APIs once had, for rows with `dialect: legacy`: a prompt in, a text out.

Chat becomes a prompt in `legacy_prompt`; each form's body and answer are in a file of its own. Models and health are asked
of the vendor's current API, which every one of them still has, by the provider that is handed in.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from server.providers.answer_checks import check_status, check_stream, cut_short
from server.providers.base import Ask, Batch, ListedModel, Operation, Provider, ProviderContext
from server.providers.call_headers import call_headers
from server.providers.errors import ProviderError
from server.providers.legacy.answer import AnswerWriter, Piece
from server.providers.legacy.anthropic import AnthropicPrompt
from server.providers.legacy.cohere import CohereGenerate
from server.providers.legacy.form import Form, PieceStream
from server.providers.legacy.plain import GrokComplete, PerplexityAsk
from server.providers.legacy.prompt import plain_request
from server.providers.parameters import body_bytes
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.text_pb2 import TextCompletionRequest

_FORMS: Mapping[str, Callable[[], Form]] = MappingProxyType(
    {"anthropic": AnthropicPrompt, "cohere": CohereGenerate, "grok": GrokComplete, "perplexity": PerplexityAsk}
)


def build(context: ProviderContext, current: Provider) -> "Legacy":
    """Builds the provider of a row whose type is one of `LEGACY`; `current` is the same row's in the current dialect."""
    return Legacy(context, _FORMS[context.settings.type](), current)


class Legacy(Provider):
    """A provider that speaks an older form of its vendor's API.

    Args:
        context: what every provider is built from.
        form: the older form.
        current: the same vendor in its current dialect.
    """

    def __init__(self, context: ProviderContext, form: Form, current: Provider) -> None:
        self.operations = frozenset({Operation.CHAT, Operation.TEXT})
        self._settings = context.settings
        self._http = context.http
        self._clock = context.clock
        self._form = form
        self._current = current
        base = (context.settings.base_url or form.base_url).rstrip("/").removesuffix("/v1")
        self._url = f"{base}{form.path}"
        key = context.settings.api_key
        self._headers = call_headers(context.settings, form.headers("" if key is None else key.get_secret_value()))

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`.

        A form without streams is asked for the whole, and a caller who wants a stream gets it as one.
        """
        if ask.operation not in self.operations:
            raise unsupported(f"The provider's older form has no {ask.operation.value}.")
        request = cast(ChatCompletionRequest | TextCompletionRequest, ask.request)
        plain = plain_request(ask, self._settings, self._form.takes)
        body = self._form.body(plain, ask.model)
        streams = ask.streamed and bool(self._form.streams)
        if streams:
            body["stream"] = True
        writer = AnswerWriter(ask, request.stream_options.include_usage, int(self._clock()))
        async with await self._http.post(self._url, self._headers, body_bytes(body), ask.timeout_s) as answer:
            await check_status(answer, self._form.refusal, self._clock())
            if not streams:
                piece = self._form.whole(await answer.body(), plain)
                yield (writer.streamed((piece,)) if ask.streamed else None) or writer.whole(piece)
                return
            await check_stream(answer, self._form.error_in, self._form.streams)
            stream = self._form.stream()
            while not stream.done:
                read = await answer.read()
                pieces, fault = _pieces(stream, read)
                batch = writer.streamed(pieces)
                if batch is not None:
                    yield batch
                if fault is None and not read and not stream.done:
                    fault = cut_short()
                if fault is not None:
                    raise fault

    async def models(self, timeout_s: float) -> Sequence[ListedModel]:
        """The models that the vendor's current API lists; see `Provider.models`."""
        return await self._current.models(timeout_s)

    async def check(self, timeout_s: float) -> None:
        """Asks the vendor's current API whether it would answer; see `Provider.check`."""
        await self._current.check(timeout_s)


def _pieces(stream: PieceStream, read: bytes) -> tuple[list[Piece], ProviderError | None]:
    """What a read brought, and the fault that follows it, where there is one."""
    pieces: list[Piece] = []
    try:
        for piece in stream.pieces(read):
            pieces.append(piece)
    except ProviderError as fault:
        return pieces, fault
    return pieces, None
