"""What a vendor of OpenAI's dialect says when it refuses -> `ProviderError`."""

import re
from collections.abc import Mapping
from typing import cast

import orjson

from server.providers.errors import Fault, ProviderError
from server.providers.retry_after import retry_after_s

_BY_STATUS = {
    400: Fault.INVALID_REQUEST,
    401: Fault.AUTHENTICATION,
    402: Fault.AUTHENTICATION,
    403: Fault.AUTHENTICATION,
    404: Fault.MODEL_NOT_FOUND,
    408: Fault.TIMEOUT,
    409: Fault.SERVER,
    413: Fault.INVALID_REQUEST,
    422: Fault.INVALID_REQUEST,
    424: Fault.SERVER,
    429: Fault.RATE_LIMITED,
    498: Fault.OVERLOADED,
    503: Fault.OVERLOADED,
    504: Fault.TIMEOUT,
    524: Fault.TIMEOUT,
    529: Fault.OVERLOADED,
}
_BY_CODE = {
    "context_length_exceeded": Fault.CONTEXT_LENGTH,
    "content_filter": Fault.CONTENT_FILTER,
    "content_policy_violation": Fault.CONTENT_FILTER,
    "insufficient_quota": Fault.AUTHENTICATION,
    "invalid_api_key": Fault.AUTHENTICATION,
    "model_not_found": Fault.MODEL_NOT_FOUND,
    "DeploymentNotFound": Fault.MODEL_NOT_FOUND,
    "rate_limit_exceeded": Fault.RATE_LIMITED,
    "server_error": Fault.SERVER,
    "overloaded_error": Fault.OVERLOADED,
    "provider_overloaded": Fault.OVERLOADED,
}
_OVERFLOW = re.compile(
    r"maximum context length is|exceed the configured limit of \d+ tokens|exceeds the context window of this model"
    r"|maximum prompt length is \d+|too large for model with \d+ maximum context length"
    r"|Please reduce the length of the messages or completion|the model's context length is only"
    r"|exceeded max context length|input length exceeds the context length"
)
"""Overflow is told by text alone at several vendors (vLLM, xAI, Mistral, Groq, DeepSeek, Ollama). Read in 2026-11."""


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    said = _json(body)
    fault = _BY_STATUS.get(status, Fault.SERVER if status >= 500 else Fault.INVALID_REQUEST)
    if 300 <= status < 400:
        return ProviderError(Fault.PROTOCOL, "The provider answered with a redirect.", status)
    return _error(said, fault, status, retry_after_s(headers, now))


def told(answer: Mapping[str, object]) -> ProviderError:
    """The error of an answer that came with a success status, or of an event in the midst of a stream."""
    error = answer.get("error", answer)
    code = error.get("code") if isinstance(error, dict) else None
    status = code if type(code) is int and 400 <= code < 600 else None
    return _error(answer, _BY_STATUS.get(status or 0, Fault.SERVER), status, None)


def _error(said: object, fault: Fault, status: int | None, retry_after: float | None) -> ProviderError:
    error: object = said.get("error", said) if isinstance(said, dict) else {}
    if isinstance(error, str):  # xAI: {"code": "...", "error": "text"}
        error = {"message": error, "code": cast(dict[str, object], said).get("code")}
    fields = error if isinstance(error, dict) else {}
    metadata = fields.get("metadata")
    codes = [fields.get("code"), fields.get("type"), metadata.get("error_type") if isinstance(metadata, dict) else None]
    message = _text(fields.get("message") or fields.get("detail"))
    message = message or f"The provider answered with {f'status {status}' if status else 'an error'}."
    for code in codes:
        if isinstance(code, str) and code in _BY_CODE:
            fault = _BY_CODE[code]
            break
    else:
        if fault is Fault.INVALID_REQUEST and _OVERFLOW.search(message):
            fault = Fault.CONTEXT_LENGTH
    param = fields.get("param")
    return ProviderError(fault, message, status, retry_after, param if isinstance(param, str) else "")


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value[:2000]
    return orjson.dumps(value).decode()[:2000] if value else ""
