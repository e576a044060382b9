"""The older forms of Perplexity and Grok, which have no streams: a question or a prompt, and a text.

Neither vendor documents its form any more, so that answers are read in each of the shapes that are known of it.
"""

from collections.abc import Mapping

import msgspec
import orjson

from server.providers.errors import Fault, ProviderError
from server.providers.legacy.answer import Piece, counted, finish_reason
from server.providers.legacy.form import PieceStream
from server.providers.legacy.prompt import Plain, lines, query
from server.providers.openai.errors import refusal, told
from server.providers.unsupported import unsupported
from server.providers.wire import Count, decoded
from trunkline.v1.chat_pb2 import Usage

Json = dict[str, object]


class _WireUsage(msgspec.Struct):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0

    def typed(self) -> Usage:
        return counted(self.prompt_tokens, self.completion_tokens)


class _WireChoice(msgspec.Struct):
    text: str
    finish_reason: str | None = None


class _WireAnswer(msgspec.Struct):
    id: str = ""
    model: str = ""
    answer: str | None = None
    completion: str | None = None
    text: str | None = None
    choices: list[_WireChoice] = []
    finish_reason: str | None = None
    stop_reason: str | None = None
    usage: _WireUsage | None = None
    perplexity_sources: list[dict[str, object]] | None = None


_ANSWER = msgspec.json.Decoder(_WireAnswer)
_NO_TEXT = "The provider's answer has no text."


class _PlainForm:
    """What both forms do alike."""

    streams = ""
    takes: frozenset[str] = frozenset()

    def whole(self, body: bytes, plain: Plain) -> Piece:
        """See `Form.whole`."""
        wire = decoded(_ANSWER, body, self.error_in, _NO_TEXT)
        choice = wire.choices[0] if wire.choices else None
        texts = (wire.answer, wire.completion, wire.text, choice.text if choice else None)
        text = next((text for text in texts if text is not None), None)
        if text is None:
            raise self.error_in(body) or ProviderError(Fault.PROTOCOL, _NO_TEXT)
        usage = None if wire.usage is None else wire.usage.typed()
        said = wire.finish_reason or wire.stop_reason or (choice.finish_reason if choice else None)
        extra_json = _sources_json(wire.perplexity_sources)
        return Piece(text, finish_reason(said, usage, plain.max_tokens), usage, wire.id, wire.model, extra_json)

    def stream(self) -> PieceStream:
        """See `Form.stream`."""
        raise unsupported("The provider's older form has no streams.")

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
        """See `Form.refusal`."""
        return refusal(status, headers, body, now)

    def error_in(self, body: bytes) -> ProviderError | None:
        """See `Form.error_in`."""
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        return told(said) if isinstance(said, dict) and said.get("error") else None


class PerplexityAsk(_PlainForm):
    """The older form of Perplexity's API: the last question alone, and the sources beside the answer."""

    base_url = "https://api.perplexity.ai"
    path = "/v1/ask"

    def headers(self, key: str) -> dict[str, str]:
        """See `Form.headers`."""
        return {"x-perplexity-api-key": key} if key else {}

    def body(self, plain: Plain, model: str) -> Json:
        """See `Form.body`."""
        return {"model": model, "query": query(plain), "max_tokens": plain.max_tokens}


class GrokComplete(_PlainForm):
    """The older form of xAI's API: the conversation as lines, each with who says it."""

    base_url = "https://api.x.ai"
    path = "/v1/complete"

    def headers(self, key: str) -> dict[str, str]:
        """See `Form.headers`."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, plain: Plain, model: str) -> Json:
        """See `Form.body`."""
        return {"model": model, "prompt": lines(plain, "\n"), "max_tokens": plain.max_tokens}


def _sources_json(sources: list[dict[str, object]] | None) -> str:
    try:
        return "" if sources is None else orjson.dumps({"perplexity_sources": sources}).decode()
    except orjson.JSONEncodeError:
        raise ProviderError(Fault.PROTOCOL, "The provider's sources are nested too deeply.") from None
