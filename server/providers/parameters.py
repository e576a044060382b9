"""What dialects ask of a chat request's parameters alike: which it has, its limit, its stops, and the words for a form."""

from collections.abc import Iterator, Mapping

import orjson

from server.config.provider_settings import ProviderSettings
from server.providers.errors import Fault, ProviderError
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest, StringOrList

Json = dict[str, object]

_JSON_ONLY = "Answer with one valid JSON object and nothing else: no prose, no code fence."


def one_choice(n: int) -> None:
    """Sees to it that no more than one choice is asked for.

    Raises:
        ProviderError: UNSUPPORTED.
    """
    if n > 1:
        raise unsupported("The provider makes one choice only.", "n")


def not_taken(request: ChatCompletionRequest, extras: Mapping[str, object], taken: frozenset[str]) -> Iterator[str]:
    """The names of the parameters that would shape the answer, and that the vendor has nothing for.

    Args:
        request: the contract's.
        extras: what it carries beyond its fields.
        taken: which it does have something for, of those that only some vendors do.
    """
    given = {
        "seed": request.HasField("seed"),
        "logit_bias": bool(request.logit_bias),
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs > 0,
        "presence_penalty": request.presence_penalty != 0,
        "frequency_penalty": request.frequency_penalty != 0,
        "parallel_tool_calls": request.HasField("parallel_tool_calls") and not request.parallel_tool_calls,
        "modalities": any(kind != "text" for kind in request.modalities),
        "audio": extras.get("audio") is not None,
        "prediction": extras.get("prediction") is not None,
        "web_search_options": extras.get("web_search_options") is not None,
    }
    return (param for param, present in given.items() if present and param not in taken)


def token_limit(request: ChatCompletionRequest, settings: ProviderSettings) -> int | None:
    """The most tokens that the answer may have: the caller's word, else the settings'; None where neither says."""
    if request.HasField("max_completion_tokens"):
        return request.max_completion_tokens
    return request.max_tokens if request.HasField("max_tokens") else settings.default_max_tokens


def limited_by_caller(request: ChatCompletionRequest) -> bool:
    """Whether the caller said how many tokens the answer may have."""
    return request.HasField("max_completion_tokens") or request.HasField("max_tokens")


def stop_texts(stop: StringOrList) -> list[str]:
    """The texts that end an answer; empty ones are left out."""
    return [text for text in ([stop.text] if stop.HasField("text") else stop.list) if text]


def json_instruction(schema: str = "") -> str:
    """The words that ask for JSON, and for keeping to a schema, where no parameter can."""
    return f"{_JSON_ONLY} It must keep to this JSON schema: {schema}" if schema else _JSON_ONLY


def body_bytes(body: Json) -> bytes:
    """A body, or a piece of one, as JSON.

    Raises:
        ProviderError: INVALID_REQUEST where the request is nested too deeply for it.
    """
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise ProviderError(Fault.INVALID_REQUEST, "The request is nested too deeply.") from None
