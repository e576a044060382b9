"""The contract's requests -> the bodies of Ollama's own API.

What steers the sampling goes into `options`. What has no meaning there is dropped or refused as the settings say, where it
would have shaped the answer; mere hints are dropped. Source: https://docs.ollama.com/api (2026-11).
"""

from collections.abc import Sequence

import orjson

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of, json_object
from server.providers.ollama.messages import vendor_messages
from server.providers.tools import allowed_tools, function_of
from trunkline.v1.chat_pb2 import ChatCompletionRequest, StringOrList, Tool
from trunkline.v1.text_pb2 import EmbeddingRequest, TextCompletionRequest, TextInput

Json = dict[str, object]

_EXTRAS = ("keep_alive", "truncate")
_CHAT_EXTRAS = (*_EXTRAS, "think", "shift")
_TEXT_EXTRAS = (*_CHAT_EXTRAS, "raw", "system", "template", "images", "format")
_OPTIONS = (
    "num_ctx",
    "num_keep",
    "num_gpu",
    "num_thread",
    "top_k",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "repeat_last_n",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
)
"""Options that OpenAI's API has no word for, and callers write at the top."""

_EFFORTS: dict[str, object] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


def chat_body(ask: Ask, request: ChatCompletionRequest, settings: ProviderSettings) -> bytes:
    """The body for `/api/chat`.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor cannot express; INVALID_REQUEST where a `*_json` field of the request
            holds no JSON object.
    """
    extras = extra_of(request)
    gate = _Gate(settings)
    gate.meet_all(
        {
            "logit_bias": bool(request.logit_bias),
            "logprobs": request.logprobs,
            "top_logprobs": request.top_logprobs > 0,
            "parallel_tool_calls": request.HasField("parallel_tool_calls") and not request.parallel_tool_calls,
            "modalities": any(kind != "text" for kind in request.modalities),
            **{name: extras.get(name) is not None for name in ("audio", "prediction", "web_search_options")},
        }
    )
    body: Json = {"model": ask.model, "messages": vendor_messages(request.messages), "stream": ask.streamed}
    tools = _tools(request, gate)
    if tools:
        body["tools"] = tools
    if request.response_format.type == "json_object":
        body["format"] = "json"
    elif request.response_format.type == "json_schema":
        schema = request.response_format.json_schema.schema_json or "{}"
        body["format"] = json_object(schema, "response_format.json_schema.schema")
    if request.reasoning_effort in _EFFORTS:
        body["think"] = _EFFORTS[request.reasoning_effort]
    elif request.reasoning_effort:
        gate.meet("reasoning_effort")
    limit = request.max_completion_tokens if request.HasField("max_completion_tokens") else None
    _add_options(body, request, extras, settings, limit)
    body.update((name, extras[name]) for name in _CHAT_EXTRAS if name in extras)
    return _bytes(body)


def text_body(ask: Ask, request: TextCompletionRequest, settings: ProviderSettings) -> bytes:
    """The body for `/api/generate`.

    Raises:
        ProviderError: as `chat_body`.
    """
    extras = extra_of(request)
    gate = _Gate(settings)
    gate.meet_all(
        {
            "logit_bias": bool(request.logit_bias),
            "logprobs": request.HasField("logprobs"),
            "echo": request.echo,
            "best_of": request.best_of > 1,
        }
    )
    texts = _texts(request.prompt, "prompt")
    if len(texts) != 1:
        raise ProviderError(Fault.UNSUPPORTED, "The provider takes one prompt at a time.", param="prompt")
    body: Json = {"model": ask.model, "prompt": texts[0], "stream": ask.streamed}
    if request.suffix:
        body["suffix"] = request.suffix
    _add_options(body, request, extras, settings, None)
    body.update((name, extras[name]) for name in _TEXT_EXTRAS if name in extras)
    return _bytes(body)


def embeddings_body(ask: Ask, request: EmbeddingRequest) -> bytes:
    """The body for `/api/embed`.

    Raises:
        ProviderError: UNSUPPORTED for tokens, which the vendor does not take.
    """
    extras = extra_of(request)
    body: Json = {"model": ask.model, "input": _texts(request.input, "input")}
    if request.HasField("dimensions"):
        body["dimensions"] = request.dimensions
    options = extras.get("options")
    if isinstance(options, dict):
        body["options"] = options
    body.update((name, extras[name]) for name in _EXTRAS if name in extras)
    return _bytes(body)


class _Gate:
    """What becomes of parameters that the vendor cannot express."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._reject = settings.unsupported_parameters == "reject"

    def meet(self, param: str) -> None:
        if self._reject:
            raise ProviderError(Fault.UNSUPPORTED, f"The provider cannot honour `{param}`.", param=param)

    def meet_all(self, given: dict[str, bool]) -> None:
        for param, present in given.items():
            if present:
                self.meet(param)


def _add_options(
    body: Json,
    request: ChatCompletionRequest | TextCompletionRequest,
    extras: Json,
    settings: ProviderSettings,
    limit: int | None,
) -> None:
    if request.n > 1:
        raise ProviderError(Fault.UNSUPPORTED, "The provider makes one choice only.", param="n")
    own = extras.get("options")
    options: Json = dict(own) if isinstance(own, dict) else {}
    options.update((name, extras[name]) for name in _OPTIONS if name in extras)
    if limit is None:
        limit = request.max_tokens if request.HasField("max_tokens") else settings.default_max_tokens
    if limit is not None:
        options["num_predict"] = limit
    if request.HasField("temperature"):
        options["temperature"] = request.temperature
    if request.HasField("top_p"):
        options["top_p"] = request.top_p
    if request.HasField("seed"):
        options["seed"] = request.seed
    if request.HasField("presence_penalty"):
        options["presence_penalty"] = request.presence_penalty
    if request.HasField("frequency_penalty"):
        options["frequency_penalty"] = request.frequency_penalty
    if stop := _stop(request.stop):
        options["stop"] = stop
    if options:
        body["options"] = options


def _stop(stop: StringOrList) -> list[str]:
    return [text for text in ([stop.text] if stop.HasField("text") else stop.list) if text]


def _tools(request: ChatCompletionRequest, gate: _Gate) -> list[Json]:
    """The tools that may be called; the vendor has no choice of them, but those that it does not know it cannot call."""
    choice = request.tool_choice
    mode, names = choice.mode, None
    if choice.type == "function":
        mode, names = "required", frozenset({choice.function.name})
    elif choice.type == "allowed_tools":
        mode, names = allowed_tools(choice)
    if mode == "none":
        return []
    if mode == "required":
        gate.meet("tool_choice")
    return [_tool(tool) for tool in request.tools if names is None or tool.function.name in names]


def _tool(tool: Tool) -> Json:
    function = function_of(tool)
    written: Json = {"name": function.name, "parameters": {"type": "object", "properties": {}}}
    if function.HasField("description"):
        written["description"] = function.description
    if function.HasField("parameters_json"):
        written["parameters"] = json_object(function.parameters_json, "tools.function.parameters")
    return {"type": "function", "function": written}


def _texts(given: TextInput, param: str) -> Sequence[str]:
    match given.WhichOneof("form"):
        case "text":
            return [given.text]
        case "texts":
            return list(given.texts.values)
    raise ProviderError(Fault.UNSUPPORTED, "The provider takes texts, and no tokens.", param=param)


def _bytes(body: Json) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise ProviderError(Fault.INVALID_REQUEST, "The request is nested too deeply.") from None
