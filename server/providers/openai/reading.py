"""The JSON of a vendor's answer, read: what every form of it, whole or streamed, is looked at for."""

from collections.abc import Callable
from typing import TypeVar, cast

import orjson

from server.providers.errors import Fault, ProviderError
from server.providers.openai.errors import told
from server.providers.refusals import ended_in_error
from trunkline_json import Misfit

Json = dict[str, object]
M = TypeVar("M")

_OTHER_REASONS = {
    "model_length": "length",  # Mistral
    "repetition": "stop",  # vLLM
    "eos": "stop",  # servers of open models, here and below
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
}
"""Finish reasons that are no words of OpenAI's. Read in 2026-11."""

_FAILURES = frozenset({"error", "insufficient_system_resource", "abort"})
"""Finish reasons that mean that the answer failed (Mistral, OpenRouter and vLLM; DeepSeek; vLLM). Read in 2026-11."""


def object_of(data: bytes) -> Json | None:
    """The JSON object that a body or an event holds; None where it holds none.

    Raises:
        ProviderError: whatever it says, when it is an error object.
    """
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(answer, dict):
        return None
    error = error_in(answer)
    if error is not None:
        raise error
    return answer


def read_json(body: bytes, what: str) -> Json:
    """The JSON object of an answer.

    Raises:
        ProviderError: PROTOCOL when it is none; whatever it says, when it is an error object.
    """
    answer = object_of(body)
    if answer is None:
        raise ProviderError(Fault.PROTOCOL, f"The provider's {what} is not a JSON object.")
    return answer


def error_in(answer: Json) -> ProviderError | None:
    """The error that an object is, in any of the vendors' forms: in `error`, flat, or Groq's within its own key."""
    if answer.get("error") or answer.get("object") == "error":
        return told(answer)
    own = answer.get("x_groq")
    if isinstance(own, dict) and own.get("error"):
        return told({"error": own["error"]})
    if "choices" not in answer and "data" not in answer and ("detail" in answer or "statusCode" in answer):
        return told(answer)
    return None


def choices_of(answer: Json) -> list[Json] | None:
    """The choices, which are put into the answer where it has none; None where they make no sense."""
    choices = answer.get("choices")
    if choices is None:
        choices = answer["choices"] = []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        return None
    return cast(list[Json], choices)


def finish_reason(choice: Json, called: bool, trusts_stop: bool = False) -> str | None:
    """Why a choice ended, in OpenAI's words; None where it has not.

    Args:
        called: whether it calls tools; whoever does ends with `tool_calls` and nobody else, whatever the vendor says.
        trusts_stop: whether a `stop` holds all the same.

    Raises:
        ProviderError: it failed.
    """
    error = choice.get("error")
    reason = choice.get("finish_reason")
    if reason in _FAILURES or (isinstance(error, dict) and error):
        if isinstance(error, dict) and error:
            raise told({"error": error})
        raise ended_in_error()
    if not isinstance(reason, str) or not reason:
        return None
    reason = _OTHER_REASONS.get(reason, reason)
    if reason in ("stop", "tool_calls") and not (reason == "stop" and trusts_stop):
        return "tool_calls" if called else "stop"
    return reason


def drop_none_strings(value: object) -> None:
    """Makes null of each value that is the word None, but for texts."""
    items = value.items() if isinstance(value, dict) else ()
    for key, item in list(items):
        if item == "None" and key != "content":
            cast(Json, value)[key] = None
        else:
            drop_none_strings(item)
    for item in value if isinstance(value, list) else ():
        drop_none_strings(item)


def typed(parse: Callable[[object, bool], M], value: object) -> M:
    """What a form makes of a value.

    Raises:
        ProviderError: PROTOCOL when it does not fit.
    """
    try:
        return parse(value, False)
    except Misfit:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer does not have the form of an answer.") from None
