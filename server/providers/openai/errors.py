"""What a vendor of OpenAI's dialect says when it refuses -> `ProviderError`."""

import re
from collections.abc import Mapping
from typing import cast

import orjson

from server.providers.errors import Fault, ProviderError
from server.providers.refusals import BY_STATUS, beginning, by_class, no_answer
from server.providers.retry_after import retry_after_s

_BY_STATUS = {
    **BY_STATUS,
    400: Fault.INVALID_REQUEST,
    409: Fault.SERVER,
    413: Fault.INVALID_REQUEST,
    422: Fault.INVALID_REQUEST,
    424: Fault.SERVER,
    498: Fault.OVERLOADED,
    499: Fault.SERVER,
    524: Fault.TIMEOUT,
    529: Fault.OVERLOADED,
}
_BY_CODE = {
    "context_length_exceeded": Fault.CONTEXT_LENGTH,
    "content_filter": Fault.CONTENT_FILTER,
    "content_policy_violation": Fault.CONTENT_FILTER,
    "ResponsibleAIPolicyViolation": Fault.CONTENT_FILTER,
    "insufficient_quota": Fault.AUTHENTICATION,
    "invalid_api_key": Fault.AUTHENTICATION,
    "payment_required": Fault.AUTHENTICATION,
    "billing_not_active": Fault.AUTHENTICATION,
    "model_not_found": Fault.MODEL_NOT_FOUND,
    "DeploymentNotFound": Fault.MODEL_NOT_FOUND,
    "rate_limit_exceeded": Fault.RATE_LIMITED,
    "rate_limited": Fault.RATE_LIMITED,
    "service_tier_capacity_exceeded": Fault.OVERLOADED,
    "tool_use_failed": Fault.SERVER,
    "json_validate_failed": Fault.SERVER,
    "overloaded_error": Fault.OVERLOADED,
    "provider_overloaded": Fault.OVERLOADED,
}
"""Mistral's capacity is that of one model, and Groq's failures to keep to a schema are the model's: others may be asked."""

_OVERFLOW = re.compile(
    r"maximum context length is|exceed the configured limit of \d+ tokens|exceeds the context window of this model"
    r"|maximum prompt length is \d+|too large for model with \d+ maximum context length"
    r"|Please reduce the length of the messages or completion|the model's context length is only"
    r"|exceeded max context length|input length exceeds the context length"
    r"|prompt is too long: \d+ tokens|exceed context limit: \d+|[Ii]nput is too long for requested model"
    r"|input token count.{0,40}exceeds the maximum number of tokens|exceeds? model maximum"
)
"""Overflow is told by text alone at several vendors (vLLM, xAI, Mistral, Groq, DeepSeek, Ollama), and at Blackbox and
OpenRouter in the words of the vendor behind (Anthropic, Bedrock, Gemini). Read in 2026-11."""

_WRONG_KEY = re.compile(r"Incorrect API key|[Ii]nvalid API key|API key is invalid")
"""xAI tells of a wrong key with status 400, and by text alone. Read in 2026-11."""

_WRAPPED = re.compile(r"^(?:litellm\.)?[A-Z]\w+(?:Error|Exception): (?:\w+Exception - )?")
"""What Blackbox's own gateway puts before the message of a vendor behind it."""

_SMALLEST_STATUS = 400


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    if status < 400:
        return no_answer(status)
    return _error(_json(body), _BY_STATUS.get(status) or by_class(status), status, retry_after_s(headers, now))


def told(answer: Mapping[str, object]) -> ProviderError:
    """The error of an answer that came with a success status, or of an event in the midst of a stream."""
    error = answer.get("error", answer)
    codes = (error.get("code"), error.get("status"), error.get("statusCode")) if isinstance(error, dict) else ()
    status = next((status for code in codes if (status := _status(code)) is not None), None)
    return _error(answer, _BY_STATUS.get(status or 0, Fault.SERVER), status, None)


def _status(code: object) -> int | None:
    """The HTTP status that a code is, as a number or as Azure writes it; None where it is none."""
    number = int(code) if isinstance(code, str) and re.fullmatch(r"[45]\d\d", code) else code
    return number if type(number) is int and _SMALLEST_STATUS <= number < 600 else None


def _error(said: object, fault: Fault, status: int | None, retry_after: float | None) -> ProviderError:
    error: object = said.get("error", said) if isinstance(said, dict) else {}
    if isinstance(error, str):  # xAI: {"code": "...", "error": "text"}
        error = {"message": error, "code": cast(dict[str, object], said).get("code")}
    fields = error if isinstance(error, dict) else {}
    message, param = _message(fields)
    overflow = _OVERFLOW.search(message)
    for code in _codes(fields):
        if code in _BY_CODE:
            fault = _BY_CODE[code]
            break
    else:
        if overflow and (fault is Fault.INVALID_REQUEST or status is None):
            fault = Fault.CONTEXT_LENGTH
        elif fault is Fault.INVALID_REQUEST and status == _SMALLEST_STATUS and _WRONG_KEY.search(message):
            fault = Fault.AUTHENTICATION
        elif status == 403 and _moderated(fields):
            fault = Fault.CONTENT_FILTER
    message = message or f"The provider answered with {f'status {status}' if status else 'an error'}."
    return ProviderError(fault, message, status, retry_after, param, _text(fields.get("failed_generation")))


def _codes(fields: Mapping[str, object]) -> list[str]:
    """The words that say what kind of error it is, the most telling first."""
    metadata, inner = fields.get("metadata"), fields.get("innererror") or fields.get("inner_error")
    codes = [
        inner.get("code") if isinstance(inner, dict) else None,
        fields.get("code"),
        fields.get("type"),
        metadata.get("error_type") if isinstance(metadata, dict) else None,
    ]
    return [code for code in codes if isinstance(code, str)]


def _moderated(fields: Mapping[str, object]) -> bool:
    """Whether OpenRouter says that the input was flagged."""
    metadata = fields.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("reasons"))


def _message(fields: Mapping[str, object]) -> tuple[str, str]:
    """What an error says, and the field that it names.

    Mistral, vLLM and Perplexity list faults of fields; OpenRouter has the words of the vendor behind it in `raw`.
    """
    said = fields.get("message") or fields.get("detail")
    details = said.get("detail") if isinstance(said, dict) else said
    param = fields.get("param")
    named = param if isinstance(param, str) else ""
    if isinstance(details, list) and details and isinstance(details[0], dict) and isinstance(details[0].get("msg"), str):
        place = details[0].get("loc")
        steps = [str(step) for step in place if step != "body"] if isinstance(place, list) else []
        named = named or ".".join(steps)
        return beginning(": ".join(filter(None, (".".join(steps), details[0]["msg"])))), named
    message = _WRAPPED.sub("", _text(said))
    metadata = fields.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if isinstance(raw, str) and raw:
        message = beginning(f"{message}: {raw}")
    return message, named


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}


def _text(value: object) -> str:
    if isinstance(value, str):
        return beginning(value)
    try:
        return beginning(orjson.dumps(value).decode()) if value else ""
    except orjson.JSONEncodeError:  # nested too deeply
        return ""
