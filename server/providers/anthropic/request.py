"""The contract's chat request -> the body and the API version of Anthropic's Messages API.

The vendor refuses every field that it does not know, so that only what has a meaning there goes in. What has none is dropped
or refused as the settings say, where it would have shaped the answer; mere hints are dropped.
"""

from dataclasses import dataclass
from typing import cast

from server.config.provider_settings import ProviderSettings
from server.providers.anthropic.messages import lost_thoughts, turns_of, vendor_messages
from server.providers.anthropic.models import EFFORTS, ModelTraits, add_thinking, keep_one_sampling, model_traits
from server.providers.anthropic.schema import closed_schema
from server.providers.anthropic.tools import add_tools
from server.providers.base import Ask
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

SAMPLING_VERSION = "2023-06-01"
NEWEST_VERSION = "2026-10-21"
"""Refuses temperature, top_p and top_k, whatever their value; the older version takes them, for models that do.

Source: https://platform.claude.com/docs/en/api/migration-2026-10-21 (2026-11); anthropic 2.11, `_constants.py`.
"""

_EXTRAS = ("cache_control", "container", "diagnostics", "inference_geo", "speed")
_BETA_EXTRAS = ("context_management", "mcp_servers")
"""Refused without a beta's name in `anthropic-beta`, which only the settings can give."""

_TAKEN = frozenset({"parallel_tool_calls"})
_TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only", "standard_only": "standard_only"}


@dataclass(frozen=True, slots=True)
class VendorRequest:
    """What to post.

    Attributes:
        body: the body, JSON.
        version: the `anthropic-version` that it is written for.
    """

    body: bytes
    version: str


def vendor_request(ask: Ask, request: ChatCompletionRequest, settings: ProviderSettings) -> VendorRequest:
    """Writes a request in the vendor's form.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor cannot express; INVALID_REQUEST where a `*_json` field of the request
            holds no JSON object.
    """
    traits = model_traits(ask.model)
    extras = extra_of(request)
    gate = Gate.of(settings)
    one_choice(request.n)
    no_functions(extras)
    for param in not_taken(request, extras, _TAKEN):
        gate.meet(param)
    turns = turns_of(request.messages, ask.prefix)
    if turns.prefilled and not traits.prefill:
        raise unsupported("This model takes no conversation that ends with the assistant.", "messages")
    body: Json = {"model": ask.model, "max_tokens": 0, "messages": vendor_messages(turns)}
    _add_system(body, turns.system, request, traits)
    add_tools(body, request, traits)
    _add_limits(body, request, settings, traits)
    _add_output_config(body, request, extras, traits)
    if ask.prefix:
        _allow_prefix(body)
    else:
        _add_thinking(body, request, extras, traits, gate, thoughtless=traits.needs_thoughts and lost_thoughts(turns))
    version = _add_sampling(body, request, extras, settings, traits, gate)
    _add_origin(body, request)
    names = _EXTRAS + (_BETA_EXTRAS if "anthropic-beta" in map(str.lower, settings.custom_headers) else ())
    body.update((name, extras[name]) for name in names if name in extras)
    if ask.streamed:
        body["stream"] = True
    return VendorRequest(body_bytes(body), version)


def _add_system(body: Json, system: list[Json], request: ChatCompletionRequest, traits: ModelTraits) -> None:
    blocks = list(system)
    instruction = _format_instruction(request, traits)
    if instruction:
        blocks.append({"type": "text", "text": instruction})
    if any(len(block) > 2 for block in blocks):  # more than type and text, so that the blocks must stay apart
        body["system"] = blocks
    elif blocks:
        body["system"] = "\n\n".join(cast(str, block["text"]) for block in blocks)


def _format_instruction(request: ChatCompletionRequest, traits: ModelTraits) -> str:
    """The words that ask for a form which no parameter asks for."""
    wanted = request.response_format
    if wanted.type == "json_object":
        return json_instruction()
    if wanted.type == "json_schema" and not traits.schemas:
        return json_instruction(wanted.json_schema.schema_json or "{}")
    return ""


def _add_limits(body: Json, request: ChatCompletionRequest, settings: ProviderSettings, traits: ModelTraits) -> None:
    limit = token_limit(request, settings)
    body["max_tokens"] = traits.max_tokens if limit is None else limit
    if sequences := [text for text in stop_texts(request.stop) if text.strip()]:  # the vendor refuses blank ones
        body["stop_sequences"] = sequences


def _add_output_config(body: Json, request: ChatCompletionRequest, extras: Json, traits: ModelTraits) -> None:
    given = extras.get("output_config")
    config: Json = dict(given) if isinstance(given, dict) else {}
    wanted = request.response_format
    if wanted.type == "json_schema" and traits.schemas:
        schema = json_object(wanted.json_schema.schema_json or "{}", "response_format.json_schema.schema")
        config["format"] = {"type": "json_schema", "schema": closed_schema(schema)}
    if config:
        body["output_config"] = config


def _add_thinking(
    body: Json, request: ChatCompletionRequest, extras: Json, traits: ModelTraits, gate: Gate, thoughtless: bool
) -> None:
    """Reasoning effort as thinking; thinking that the caller wrote in the vendor's form goes first."""
    own = extras.get("thinking")
    if own is not None:
        body["thinking"] = own
    effort = request.reasoning_effort
    if effort not in ("", "none") and (effort not in EFFORTS or traits.thinking == "none"):
        gate.meet("reasoning_effort")
    elif effort:
        limit, limited = cast(int, body["max_tokens"]), limited_by_caller(request)
        body["max_tokens"] = add_thinking(body, effort, traits, thoughtless or _forced(body), limit, limited)


def _allow_prefix(body: Json) -> None:
    """Drops what the vendor refuses beside the beginning of an answer; thinking is not even added."""
    config = body.get("output_config")
    if isinstance(config, dict):
        config.pop("format", None)
        if not config:
            del body["output_config"]
    if _forced(body):
        body["tool_choice"] = {"type": "auto"}


def _forced(body: Json) -> bool:
    """Whether a tool call is forced, which excludes thinking."""
    choice = body.get("tool_choice")
    return isinstance(choice, dict) and choice["type"] in ("any", "tool")


def _add_sampling(
    body: Json,
    request: ChatCompletionRequest,
    extras: Json,
    settings: ProviderSettings,
    traits: ModelTraits,
    gate: Gate,
) -> str:
    """Adds the sampling parameters where version, model and thinking allow them, and returns the version."""
    sampling: Json = {}
    if request.HasField("temperature"):
        sampling["temperature"] = min(max(request.temperature, 0.0), 1.0)
    if request.HasField("top_p"):
        sampling["top_p"] = request.top_p
    if extras.get("top_k") is not None:
        sampling["top_k"] = extras["top_k"]
    version = settings.api_version
    thinking = body.get("thinking")
    thinks = isinstance(thinking, dict) and thinking.get("type") != "disabled"
    if not traits.sampling or thinks or (version is not None and version >= NEWEST_VERSION):
        for param in (param for param, value in sampling.items() if value != 1 or param == "top_k"):
            gate.meet(param)  # temperature and top_p of 1 are what the vendor does anyway
        sampling = {}
    if sampling.keys() >= {"temperature", "top_p"} and not traits.both_samplings:
        keep_one_sampling(sampling, "top_p", gate)
    body.update(sampling)
    return version or (SAMPLING_VERSION if sampling else NEWEST_VERSION)


def _add_origin(body: Json, request: ChatCompletionRequest) -> None:
    user = request.metadata.get("user_id") or request.user or request.safety_identifier
    if user:
        body["metadata"] = {"user_id": user}
    if request.service_tier in _TIERS:
        body["service_tier"] = _TIERS[request.service_tier]
