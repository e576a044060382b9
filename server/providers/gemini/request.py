"""The contract's chat request -> the body of Gemini's `generateContent`.

The vendor refuses every field that it does not know, so that only what has a meaning there goes in. What has none is dropped
or refused as the settings say, where it would have shaped the answer; mere hints are dropped. What only the vendor has is
taken from the request's unknown keys, and from where its own OpenAI layer has it, `extra_body.google`. Source:
https://ai.google.dev/api/generate-content and https://ai.google.dev/gemini-api/docs/openai (2026-11).
"""

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask
from server.providers.capabilities import Gate
from server.providers.extra_fields import extra_of, json_object
from server.providers.gemini.messages import Conversation
from server.providers.gemini.models import ModelTraits, model_traits
from server.providers.gemini.schema import vendor_schema
from server.providers.gemini.tools import add_tools
from server.providers.parameters import body_bytes, json_instruction, not_taken, stop_texts, token_limit
from server.providers.tools import no_functions
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest

Json = dict[str, object]

_OWN = {"safety_settings": "safetySettings", "cached_content": "cachedContent"}
_OWN_GENERATION = {
    "thinking_config": "thinkingConfig",
    "speech_config": "speechConfig",
    "image_config": "imageConfig",
    "media_resolution": "mediaResolution",
    "top_k": "topK",
}
"""The vendor's own fields of the body and of its `generationConfig`; both spellings are taken."""

_PENALTIES = {"presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"}
_TAKEN = frozenset(
    {"seed", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "modalities", "web_search_options"}
)
_MOST_STOPS = 5
_MOST_CHOICES = 8
_SEEDS = 1 << 31


def vendor_request(ask: Ask, request: ChatCompletionRequest, settings: ProviderSettings) -> bytes:
    """Writes a request in the vendor's form.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor cannot express; INVALID_REQUEST where a `*_json` field of the request
            holds no JSON object, or a tool message answers no call.
    """
    traits = model_traits(ask.model)
    extras = _extras(request)
    gate = Gate.of(settings)
    if request.n > _MOST_CHOICES:
        raise unsupported(f"The provider makes {_MOST_CHOICES} choices at most.", "n")
    no_functions(extras)
    for param in not_taken(request, extras, _TAKEN):
        gate.meet(param)
    conversation = Conversation(request.messages, traits.signed_calls)
    body: Json = {"contents": conversation.contents()}
    add_tools(body, request, searches=extras.get("web_search_options") is not None)
    config: Json = {}
    system = list(conversation.turns.system)
    if instruction := _add_format(config, request, told=bool(request.tools) and not traits.json_with_tools):
        system.append({"text": instruction})
    if system:
        body["systemInstruction"] = {"parts": system}
    _add_limits(config, request, settings, gate)
    _add_sampling(config, request, traits, gate)
    _add_thinking(config, request, traits, gate)
    config.update(_own(extras, _OWN_GENERATION))
    if config:
        body["generationConfig"] = config
    body.update(_own(extras, _OWN))
    return body_bytes(body)


def _extras(request: ChatCompletionRequest) -> Json:
    """The request's unknown keys, and those that are written for the vendor's own OpenAI layer."""
    extras = extra_of(request)
    for place in (extras.get("extra_body"), extras):
        google = place.get("google") if isinstance(place, dict) else None
        if isinstance(google, dict):
            extras = {**google, **extras}
    return extras


def _own(extras: Json, names: dict[str, str]) -> Json:
    given = {name: extras.get(name, extras.get(spelled)) for spelled, name in names.items()}
    return {name: value for name, value in given.items() if value is not None}


def _add_format(config: Json, request: ChatCompletionRequest, told: bool) -> str:
    """Adds the form of the answer; returns the words that ask for it instead, where the model wants to be told."""
    wanted = request.response_format
    if wanted.type not in ("json_object", "json_schema"):
        return ""
    schema: Json = {}
    if wanted.type == "json_schema" and wanted.json_schema.schema_json:
        schema = json_object(wanted.json_schema.schema_json, "response_format.json_schema.schema")
    if told:
        return json_instruction(body_bytes(schema).decode() if schema else "")
    config["responseMimeType"] = "application/json"
    if schema:
        config["responseJsonSchema"] = vendor_schema(schema)
    return ""


def _add_limits(config: Json, request: ChatCompletionRequest, settings: ProviderSettings, gate: Gate) -> None:
    limit = token_limit(request, settings)
    if limit is not None:
        config["maxOutputTokens"] = limit
    sequences = stop_texts(request.stop)
    if len(sequences) > _MOST_STOPS:
        gate.meet("stop")
    if sequences:
        config["stopSequences"] = sequences[:_MOST_STOPS]
    if request.n > 1:
        config["candidateCount"] = request.n
    if any(kind != "text" for kind in request.modalities):
        config["responseModalities"] = [kind.upper() for kind in request.modalities]


def _add_sampling(config: Json, request: ChatCompletionRequest, traits: ModelTraits, gate: Gate) -> None:
    if request.HasField("temperature"):
        config["temperature"] = request.temperature
    if request.HasField("top_p"):
        config["topP"] = request.top_p
    if request.HasField("seed"):
        config["seed"] = request.seed % _SEEDS
    penalties = {"presence_penalty": request.presence_penalty, "frequency_penalty": request.frequency_penalty}
    for name, penalty in penalties.items():
        if penalty and traits.old_sampling:
            config[_PENALTIES[name]] = penalty
        elif penalty:
            gate.meet(name)
    if request.logprobs and not traits.old_sampling:
        gate.meet("logprobs")
    elif request.logprobs:
        config["responseLogprobs"] = True
        if request.top_logprobs:
            config["logprobs"] = request.top_logprobs


def _add_thinking(config: Json, request: ChatCompletionRequest, traits: ModelTraits, gate: Gate) -> None:
    """Reasoning effort as the model understands it; the vendor's own form, where the caller gave it, comes to replace it."""
    effort = request.reasoning_effort
    if not effort or (effort == "none" and not traits.thinking):
        return
    thinking = traits.thinking.get(effort)
    if thinking is None:
        gate.meet("reasoning_effort")
    else:
        config["thinkingConfig"] = thinking
