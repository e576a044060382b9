"""The contract's requests -> the bodies of Ollama's own API.

What steers the sampling goes into `options`. What has no meaning there is dropped or refused as the settings say, where it
would have shaped the answer; mere hints are dropped. Source: https://docs.ollama.com/api (2026-11).
"""

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask
from server.providers.capabilities import Gate
from server.providers.extra_fields import extra_of, json_object
from server.providers.ollama.messages import vendor_messages
from server.providers.parameters import body_bytes, not_taken, one_choice, stop_texts, token_limit
from server.providers.tools import allowed_tools, function_of, no_functions
from server.providers.unsupported import unsupported
from server.providers.vectors import input_texts
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Tool
from trunkline.v1.text_pb2 import EmbeddingRequest, TextCompletionRequest

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

_TAKEN = frozenset({"seed", "presence_penalty", "frequency_penalty"})
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
    gate = Gate.of(settings)
    no_functions(extras)
    for param in not_taken(request, extras, _TAKEN):
        gate.meet(param)
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
    _add_options(body, request, extras, token_limit(request, settings))
    body.update((name, extras[name]) for name in _CHAT_EXTRAS if name in extras)
    return body_bytes(body)


def text_body(ask: Ask, request: TextCompletionRequest, settings: ProviderSettings) -> bytes:
    """The body for `/api/generate`.

    Raises:
        ProviderError: as `chat_body`.
    """
    extras = extra_of(request)
    gate = Gate.of(settings)
    given = {
        "logit_bias": bool(request.logit_bias),
        "logprobs": request.HasField("logprobs"),
        "best_of": request.best_of > 1,
    }
    for param in (param for param, present in given.items() if present):
        gate.meet(param)
    if request.echo:
        raise unsupported("The provider does not repeat the prompt.", "echo")
    texts = input_texts(request.prompt, "prompt")
    if len(texts) != 1:
        raise unsupported("The provider takes one prompt at a time.", "prompt")
    body: Json = {"model": ask.model, "prompt": texts[0], "stream": ask.streamed}
    if request.suffix:
        body["suffix"] = request.suffix
    limit = request.max_tokens if request.HasField("max_tokens") else settings.default_max_tokens
    _add_options(body, request, extras, limit)
    body.update((name, extras[name]) for name in _TEXT_EXTRAS if name in extras)
    return body_bytes(body)


def embeddings_body(ask: Ask, request: EmbeddingRequest) -> bytes:
    """The body for `/api/embed`.

    Raises:
        ProviderError: UNSUPPORTED for tokens, which the vendor does not take.
    """
    extras = extra_of(request)
    body: Json = {"model": ask.model, "input": input_texts(request.input)}
    if request.HasField("dimensions"):
        body["dimensions"] = request.dimensions
    options = extras.get("options")
    if isinstance(options, dict):
        body["options"] = options
    body.update((name, extras[name]) for name in _EXTRAS if name in extras)
    return body_bytes(body)


def _add_options(
    body: Json,
    request: ChatCompletionRequest | TextCompletionRequest,
    extras: Json,
    limit: int | None,
) -> None:
    one_choice(request.n)
    own = extras.get("options")
    options: Json = dict(own) if isinstance(own, dict) else {}
    options.update((name, extras[name]) for name in _OPTIONS if name in extras)
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
    if stop := stop_texts(request.stop):
        options["stop"] = stop
    if options:
        body["options"] = options


def _tools(request: ChatCompletionRequest, gate: Gate) -> list[Json]:
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
