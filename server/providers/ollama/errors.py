"""What Ollama says when it refuses -> `ProviderError`.

Source: https://docs.ollama.com/api/errors (2026-11). Its errors have no names, so that their text has to tell two things
that status 400 and 500 do not.
"""

import re
from collections.abc import Mapping

import msgspec

from server.providers.errors import Fault, ProviderError
from server.providers.refusals import BY_STATUS, by_class, no_answer, said
from server.providers.retry_after import retry_after_s
from server.providers.wire import UNREADABLE

_OVERFLOW = re.compile(r"exceeded max context length|exceeds the (?:available )?context (?:length|size)")
_LACKING = re.compile(r"does not support (?:tools|thinking|insert|chat|generate|embeddings|images|vision)")


class _Message(msgspec.Struct):
    message: str = ""


class _Told(msgspec.Struct):
    error: str | _Message


_TOLD = msgspec.json.Decoder(_Told)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> ProviderError:
    """The error of an answer whose status is no success."""
    if status < 400:
        return no_answer(status)
    fault = BY_STATUS.get(status) or by_class(status)
    message = said(_message(body), status)
    return ProviderError(_by_text(fault, message), message, status, retry_after_s(headers, now))


def error_in(body: bytes) -> ProviderError | None:
    """The error that a body, or a line of a stream, holds although the status is a success; None where it holds none."""
    message = _message(body)
    return ProviderError(_by_text(Fault.SERVER, message), said(message)) if message else None


def _by_text(fault: Fault, message: str) -> Fault:
    if fault not in (Fault.INVALID_REQUEST, Fault.SERVER):
        return fault
    if _OVERFLOW.search(message):
        return Fault.CONTEXT_LENGTH
    return Fault.UNSUPPORTED if _LACKING.search(message) else fault


def _message(body: bytes) -> str:
    try:
        told = _TOLD.decode(body).error
    except UNREADABLE:
        return ""
    return told if isinstance(told, str) else told.message
