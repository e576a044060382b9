"""The contract's chat request -> the body of Cohere's second chat API.

What the vendor cannot express is dropped or refused as the settings say, where it would have shaped the answer; mere hints
are dropped. Source: https://docs.cohere.com/reference/chat (2026-11).
"""

import re

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask
from server.providers.capabilities import Gate
from server.providers.cohere.messages import vendor_messages
from server.providers.cohere.tools import add_tools
from server.providers.extra_fields import extra_of, json_object
from server.providers.parameters import body_bytes, one_choice, stop_texts, token_limit
from server.providers.tools import no_functions
from trunkline.v1.chat_pb2 import ChatCompletionRequest

Json = dict[str, object]

_EXTRAS = ("documents", "citation_options", "safety_mode", "priority", "raw_prompting", "thinking")
"""Fields that a caller may write in the vendor's own form."""

_MOST_STOPS = 5
_LOWEST_P, _HIGHEST_P = 0.01, 0.99
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 10_000, "high": None, "xhigh": None, "max": None}
"""The most tokens of thought; None leaves it to the model."""

_WITHOUT_THOUGHT = re.compile(r"command(-r\b|-r7b|-r-plus|-light|-nightly|-a-03-2025|-a-vision|-a-translate|$)|c4ai-")
"""Models that cannot think. Those that are not known are taken for ones that can."""


def chat_body(ask: Ask, request: ChatCompletionRequest, settings: ProviderSettings) -> bytes:
    """Writes a request in the vendor's form.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor cannot express; INVALID_REQUEST where a `*_json` field of the request
            holds no JSON object.
    """
    extras = extra_of(request)
    gate = Gate.of(settings)
    _check_unsupported(request, extras, gate)
    body: Json = {"model": ask.model, "messages": vendor_messages(request.messages)}
    add_tools(body, request)
    _add_format(body, request)
    _add_limits(body, request, settings, gate)
    _add_sampling(body, request, extras, gate)
    _add_thinking(body, request, ask.model, gate)
    if request.logprobs:
        body["logprobs"] = True
    body.update((name, extras[name]) for name in _EXTRAS if extras.get(name) is not None)
    body["stream"] = ask.streamed
    return body_bytes(body)


def _check_unsupported(request: ChatCompletionRequest, extras: Json, gate: Gate) -> None:
    one_choice(request.n)
    no_functions(extras)
    given: Json = {
        "logit_bias": dict(request.logit_bias),
        "top_logprobs": request.top_logprobs,
        "parallel_tool_calls": not request.HasField("parallel_tool_calls") or request.parallel_tool_calls,
        "modalities": list(request.modalities) or ["text"],
        "audio": extras.get("audio"),
        "prediction": extras.get("prediction"),
        "web_search_options": extras.get("web_search_options"),
    }
    for param, value in given.items():
        gate.refuse(param, value)


def _add_format(body: Json, request: ChatCompletionRequest) -> None:
    wanted = request.response_format
    if wanted.type == "json_object":
        body["response_format"] = {"type": "json_object"}
    elif wanted.type == "json_schema":
        schema = json_object(wanted.json_schema.schema_json or "{}", "response_format.json_schema.schema")
        body["response_format"] = {"type": "json_object", "json_schema": schema} if schema else {"type": "json_object"}


def _add_limits(body: Json, request: ChatCompletionRequest, settings: ProviderSettings, gate: Gate) -> None:
    limit = token_limit(request, settings)
    if limit is not None:
        body["max_tokens"] = limit
    sequences = stop_texts(request.stop)
    if len(sequences) > _MOST_STOPS:
        gate.refuse("stop", sequences)
    if sequences:
        body["stop_sequences"] = sequences[:_MOST_STOPS]


def _add_sampling(body: Json, request: ChatCompletionRequest, extras: Json, gate: Gate) -> None:
    """Adds the sampling parameters, those out of the vendor's range as the nearest that it takes."""
    if request.HasField("temperature"):
        body["temperature"] = min(max(request.temperature, 0.0), 1.0)
    if request.HasField("top_p"):
        body["p"] = min(max(request.top_p, _LOWEST_P), _HIGHEST_P)
    if extras.get("top_k") is not None:
        body["k"] = extras["top_k"]
    penalties = {"frequency_penalty": request.frequency_penalty, "presence_penalty": request.presence_penalty}
    for name, penalty in penalties.items():
        if penalty < 0:
            gate.refuse(name, penalty)
        elif penalty > 0:
            body[name] = min(penalty, 1.0)
    if request.HasField("seed"):
        if request.seed < 0:
            gate.refuse("seed", request.seed)
        else:
            body["seed"] = request.seed


def _add_thinking(body: Json, request: ChatCompletionRequest, model: str, gate: Gate) -> None:
    effort = request.reasoning_effort
    thinks = not _WITHOUT_THOUGHT.match(model)
    if effort in ("", "none"):
        if effort and thinks:
            body["thinking"] = {"type": "disabled"}
    elif effort not in _BUDGETS or not thinks:
        gate.refuse("reasoning_effort", effort)
    else:
        budget = _BUDGETS[effort]
        body["thinking"] = {"type": "enabled"} | ({} if budget is None else {"token_budget": budget})
