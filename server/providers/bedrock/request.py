"""The contract's chat request -> the body of Bedrock's Converse.

What every model takes has a field there; what single models take goes into `additionalModelRequestFields`, in that model's
own words. What has neither is dropped or refused as the settings say, where it would have shaped the answer; mere hints are
dropped. Claude's rules are those of its own API. Source:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (2026-11).
"""

from dataclasses import replace
from typing import cast

from server.config.provider_settings import ProviderSettings
from server.providers.anthropic.models import EFFORTS, ModelTraits, add_thinking, keep_one_sampling, model_traits
from server.providers.anthropic.schema import closed_schema
from server.providers.base import Ask
from server.providers.bedrock.messages import Conversation
from server.providers.bedrock.tools import add_tools
from server.providers.capabilities import Gate
from server.providers.extra_fields import extra_of, json_object
from server.providers.parameters import (
    body_bytes,
    json_instruction,
    limited_by_caller,
    not_taken,
    one_choice,
    stop_texts,
    token_limit,
)
from server.providers.tools import no_functions
from server.providers.unsupported import unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest

Json = dict[str, object]

_EXTRAS = (
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
)
_MODELS_EXTRAS = ("top_k", "thinking", "anthropic_beta", "output_config", "reasoningConfig")
"""Fields of single models that callers write at the top; all others go through `additionalModelRequestFields`."""

_TIERS = frozenset({"default", "flex", "priority"})


def vendor_body(ask: Ask, request: ChatCompletionRequest, settings: ProviderSettings) -> bytes:
    """Writes a request in the vendor's form; the model and whether to stream are said by its address.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor cannot express; INVALID_REQUEST where a `*_json` field of the request
            holds no JSON object.
    """
    return body_bytes(_Body(ask, request, settings).written())


class _Body:
    """A body on its way."""

    def __init__(self, ask: Ask, request: ChatCompletionRequest, settings: ProviderSettings) -> None:
        self._ask = ask
        self._request = request
        self._settings = settings
        self._gate = Gate.of(settings)
        self._claude = "claude" in ask.model
        traits = model_traits(ask.model)
        self._traits: ModelTraits = replace(traits, schemas=self._claude and traits.schemas)
        self._extras = extra_of(request)
        own = self._extras.get("additionalModelRequestFields")
        self._own: Json = dict(own) if isinstance(own, dict) else {}
        self._limits: Json = {}
        self._config: Json = {}

    def written(self) -> Json:
        """The body."""
        request, traits = self._request, self._traits
        one_choice(request.n)
        no_functions(self._extras)
        for param in not_taken(request, self._extras, frozenset()):
            self._gate.meet(param)
        conversation = Conversation(request.messages, self._ask.prefix, short_ids="mistral" in self._ask.model)
        if conversation.turns.prefilled and not traits.prefill:
            raise unsupported("This model takes no conversation that ends with the assistant.", "messages")
        body: Json = {"messages": conversation.messages()}
        add_tools(body, request, traits, conversation.calls, forcing=not self._ask.prefix)
        self._own.update((name, self._extras[name]) for name in _MODELS_EXTRAS if name in self._extras)
        self._add_limits()
        if self._ask.prefix:
            self._own.pop("thinking", None)
        else:
            self._add_format()
            thoughtless = traits.needs_thoughts and conversation.lost_thoughts()
            self._add_reasoning(forced=thoughtless or _forced(body))
        self._add_sampling()
        self._add_system(body, conversation.turns.system)
        body.update((name, self._extras[name]) for name in _EXTRAS if name in self._extras)
        if request.service_tier in _TIERS:
            body.setdefault("serviceTier", {"type": request.service_tier})
        given = {"inferenceConfig": self._limits, "outputConfig": self._config, "additionalModelRequestFields": self._own}
        return body | {name: value for name, value in given.items() if value}

    def _add_system(self, body: Json, system: list[Json]) -> None:
        blocks = list(system)
        wanted = self._request.response_format
        if wanted.type == "json_object":
            blocks.append({"text": json_instruction()})
        elif wanted.type == "json_schema" and "textFormat" not in self._config:
            blocks.append({"text": json_instruction(wanted.json_schema.schema_json or "{}")})
        if blocks:
            body["system"] = blocks

    def _add_limits(self) -> None:
        limit = token_limit(self._request, self._settings)
        if limit is not None:
            self._limits["maxTokens"] = limit
        if sequences := [text for text in stop_texts(self._request.stop) if text.strip()]:
            self._limits["stopSequences"] = sequences

    def _add_format(self) -> None:
        """A schema, where the model is known to keep to one; the others are told of it in words."""
        given = self._extras.get("outputConfig")
        self._config = dict(given) if isinstance(given, dict) else {}
        wanted = self._request.response_format
        if wanted.type != "json_schema" or not self._traits.schemas:
            return
        schema = json_object(wanted.json_schema.schema_json or "{}", "response_format.json_schema.schema")
        written: Json = {"schema": body_bytes(closed_schema(schema)).decode(), "name": wanted.json_schema.name or "answer"}
        if wanted.json_schema.description:
            written["description"] = wanted.json_schema.description
        self._config["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": written}}

    def _add_reasoning(self, forced: bool) -> None:
        effort = self._request.reasoning_effort
        if not effort:
            return
        if self._claude:
            self._add_thinking(effort, forced)
        elif effort not in EFFORTS:
            if effort != "none":
                self._gate.meet("reasoning_effort")
        elif "openai." in self._ask.model:
            self._own.setdefault("reasoning_effort", {"xhigh": "high", "max": "high"}.get(effort, EFFORTS[effort]))
        elif "amazon.nova-2" in self._ask.model:
            level = {"xhigh": "high", "max": "high"}.get(effort, EFFORTS[effort])
            self._own.setdefault("reasoningConfig", {"type": "enabled", "maxReasoningEffort": level})
        else:
            self._gate.meet("reasoning_effort")

    def _add_thinking(self, effort: str, forced: bool) -> None:
        if effort != "none" and (effort not in EFFORTS or self._traits.thinking == "none"):
            self._gate.meet("reasoning_effort")
            return
        limit = cast(int, self._limits.get("maxTokens", self._traits.max_tokens))
        raised = add_thinking(self._own, effort, self._traits, forced, limit, limited_by_caller(self._request))
        if raised != limit:
            self._limits["maxTokens"] = raised

    def _add_sampling(self) -> None:
        request, sampling = self._request, cast(Json, {})
        if request.HasField("temperature"):
            sampling["temperature"] = min(max(request.temperature, 0.0), 1.0)
        if request.HasField("top_p"):
            sampling["topP"] = request.top_p
        thinking = self._own.get("thinking")
        thinks = isinstance(thinking, dict) and thinking.get("type") != "disabled"
        if self._claude and (not self._traits.sampling or thinks):
            for param, value in (*sampling.items(), ("top_k", self._own.pop("top_k", 1))):
                if value != 1:  # temperature and top_p of 1 are what the model does anyway
                    self._gate.meet({"topP": "top_p"}.get(param, param))
            sampling = {}
        if self._claude and len(sampling) == 2 and not self._traits.both_samplings:
            keep_one_sampling(sampling, "topP", self._gate)
        self._limits |= sampling


def _forced(body: Json) -> bool:
    """Whether a tool call is forced, which excludes thinking."""
    config = body.get("toolConfig")
    choice = config.get("toolChoice") if isinstance(config, dict) else None
    return isinstance(choice, dict) and "auto" not in choice
