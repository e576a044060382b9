"""What single models refuse of a request that their vendor takes from others, told from the model's name: one table.

A model that no row fits gets what was asked for. Sources: the vendors' pages on their models, read in 2026-11:
https://platform.openai.com/docs/guides/reasoning, https://docs.x.ai/docs/models, https://console.groq.com/docs/reasoning,
https://docs.mistral.ai/api, https://docs.perplexity.ai/api-reference.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Self

from server.config.provider_settings import ProviderSettings
from server.providers.errors import Fault, ProviderError

Json = dict[str, object]

_HINTS = frozenset(
    {
        "user",
        "store",
        "metadata",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "stream_options",
    }
)
"""Parameters that do not shape an answer: they are dropped, whatever the settings say."""

_DEFAULTS: Mapping[str, object] = MappingProxyType(
    {
        "temperature": 1,
        "top_p": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logprobs": False,
        "top_logprobs": 0,
        "logit_bias": {},
        "parallel_tool_calls": True,
        "verbosity": "medium",
        "modalities": ["text"],
        "n": 1,
    }
)
"""What a parameter says that asks for what happens without it."""

_SAMPLING = frozenset({"temperature", "top_p", "logprobs", "top_logprobs"})
_REASONING = _SAMPLING | {"presence_penalty", "frequency_penalty", "logit_bias", "stop"}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model does not take.

    Attributes:
        refused: parameters that it refuses.
        efforts: what it takes as `reasoning_effort`, by what the caller says; None: anything.
        new_max_tokens: whether it takes only `max_completion_tokens`.
        sampled_unless_reasoning: whether it takes the sampling parameters where `reasoning_effort` is `none`.
    """

    refused: frozenset[str] = frozenset()
    efforts: Mapping[str, str] | None = None
    new_max_tokens: bool = False
    sampled_unless_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """Which models of which vendors have which capabilities."""

    vendors: frozenset[str]
    models: re.Pattern[str]
    capabilities: Capabilities


def _as_they_are(*efforts: str, **others: str) -> Mapping[str, str]:
    return MappingProxyType({effort: effort for effort in efforts} | others)


_OPENAI = frozenset({"openai", "azure_openai"})
_XAI = frozenset({"grok"})
_GROQ = frozenset({"groq"})
_PERPLEXITY = frozenset({"perplexity"})
_MISTRAL = frozenset({"mistral"})
_NO_EFFORT: Mapping[str, str] = MappingProxyType({})
_LOW_TO_HIGH = _as_they_are("low", "medium", "high", minimal="low", xhigh="high", max="high")

_ROWS = (
    _Row(
        _OPENAI,
        re.compile(r"o1-(mini|preview)"),
        Capabilities(_REASONING | {"parallel_tool_calls", "verbosity"}, _NO_EFFORT, new_max_tokens=True),
    ),
    _Row(
        _OPENAI,
        re.compile(r"o1|o3-mini"),
        Capabilities(_REASONING - {"stop"} | {"parallel_tool_calls", "verbosity"}, _LOW_TO_HIGH, new_max_tokens=True),
    ),
    _Row(_OPENAI, re.compile(r"o\d"), Capabilities(_REASONING | {"verbosity"}, _LOW_TO_HIGH, new_max_tokens=True)),
    _Row(_OPENAI, re.compile(r"gpt-5(\.\d+)?-chat"), Capabilities()),
    _Row(
        _OPENAI,
        re.compile(r"gpt-5(?!\.\d)"),
        Capabilities(
            _REASONING,
            _as_they_are("minimal", "low", "medium", "high", none="minimal", xhigh="high", max="high"),
            new_max_tokens=True,
        ),
    ),
    _Row(
        _OPENAI,
        re.compile(r"gpt-5\.1(?!\d)"),
        Capabilities(
            _REASONING,
            _as_they_are("none", "low", "medium", "high", minimal="low", xhigh="high", max="high"),
            new_max_tokens=True,
            sampled_unless_reasoning=True,
        ),
    ),
    _Row(
        _OPENAI,
        re.compile(r"gpt-[5-9]"),
        Capabilities(
            _REASONING,
            _as_they_are("none", "low", "medium", "high", "xhigh", "max", minimal="low"),
            new_max_tokens=True,
            sampled_unless_reasoning=True,
        ),
    ),
    _Row(
        _OPENAI,
        re.compile(r"gpt-4o(-mini)?-search"),
        Capabilities(
            _REASONING - {"stop"} | {"n", "seed", "parallel_tool_calls", "verbosity"},
            _NO_EFFORT,
        ),
    ),
    _Row(
        _XAI,
        re.compile(r"grok-(3-mini|4\.(20-multi-agent|[3-9](?!\d)))"),
        Capabilities(frozenset({"presence_penalty", "frequency_penalty", "stop"})),
    ),
    _Row(
        _XAI,
        re.compile(r"grok-(3|2|.*non-reasoning)"),
        Capabilities(efforts=_NO_EFFORT),
    ),
    _Row(
        _XAI,
        re.compile(r"grok-(?!imagine)"),
        Capabilities(frozenset({"presence_penalty", "frequency_penalty", "stop"}), _NO_EFFORT),
    ),
    _Row(
        _GROQ,
        re.compile(r"(groq/)?openai/gpt-oss"),
        Capabilities(efforts=_LOW_TO_HIGH),
    ),
    _Row(
        _GROQ,
        re.compile(r"(groq/)?(qwen/)?qwen"),
        Capabilities(efforts=_as_they_are("none", "default", **dict.fromkeys(("low", "medium", "high"), "default"))),
    ),
    _Row(_GROQ, re.compile(r""), Capabilities(efforts=_NO_EFFORT)),
    _Row(
        _PERPLEXITY,
        re.compile(r""),
        Capabilities(efforts=_as_they_are("minimal", "low", "medium", "high", none="minimal", xhigh="high", max="high")),
    ),
    _Row(
        _MISTRAL,
        re.compile(r""),
        Capabilities(
            efforts=_as_they_are("none", "high", minimal="none", low="high", medium="high", xhigh="high", max="high")
        ),
    ),
)
"""The first row that fits counts."""

_ANY = Capabilities()


@lru_cache(maxsize=1024)
def capabilities(vendor: str, model: str) -> Capabilities:
    """What a vendor's model does not take."""
    for row in _ROWS:
        if vendor in row.vendors and row.models.match(model):
            return row.capabilities
    return _ANY


@dataclass(frozen=True, slots=True)
class Gate:
    """What becomes of parameters that a provider cannot honour.

    Attributes:
        reject: whether they are refused, where they would have shaped the answer; else they are dropped.
    """

    reject: bool

    @classmethod
    def of(cls, settings: ProviderSettings) -> Self:
        """The gate that a provider's row asks for."""
        return cls(reject=settings.unsupported_parameters == "reject")

    def meet(self, param: str) -> None:
        """Says of a parameter which the request has, and which shapes the answer, that the vendor has no place for it.

        Raises:
            ProviderError: UNSUPPORTED, with its name.
        """
        if self.reject:
            raise ProviderError(Fault.UNSUPPORTED, f"The provider cannot honour `{param}`.", param=param)

    def drop(self, body: Json, param: str) -> None:
        """Takes a parameter out of a body.

        Raises:
            ProviderError: UNSUPPORTED, with its name.
        """
        if param in body:
            self.refuse(param, body.pop(param))

    def refuse(self, param: str, value: object) -> None:
        """Says of a parameter that it cannot be honoured.

        Raises:
            ProviderError: UNSUPPORTED, with its name, unless it asks for what happens anyway.
        """
        if self.reject and param not in _HINTS and value is not None and value != _DEFAULTS.get(param):
            raise ProviderError(Fault.UNSUPPORTED, f"The model cannot honour `{param}`.", param=param)


def fit(body: Json, model: Capabilities, gate: Gate) -> None:
    """Takes out of a body what the model refuses, and renames what it calls something else.

    Raises:
        ProviderError: UNSUPPORTED, where the gate rejects.
    """
    if model is _ANY:
        return
    if model.new_max_tokens and "max_tokens" in body:
        body.setdefault("max_completion_tokens", body.pop("max_tokens"))
    refused = model.refused
    effort = body.get("reasoning_effort")
    if model.sampled_unless_reasoning and effort == "none":
        refused = refused - _SAMPLING
    for param in body.keys() & refused:
        gate.drop(body, param)
    if effort is None or model.efforts is None:
        return
    theirs = model.efforts.get(effort) if isinstance(effort, str) else None
    if theirs is None:
        gate.drop(body, "reasoning_effort")
    else:
        body["reasoning_effort"] = theirs
