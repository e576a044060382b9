"""What each model takes of a request, told from its name, and how it is told to think.

A Claude that is not known is taken for one of the newest. Other vendors' models behind this dialect are not told what they
cannot do: they get what was asked for, in the forms of the older version, which is the one that they copied.

Source: https://platform.claude.com/docs/en/models (2026-11), the pages of each model and what is new in it, and
https://platform.claude.com/docs/en/build-with-claude/effort (2026-11).
"""

import re
from dataclasses import dataclass
from typing import Literal

from server.providers.capabilities import Gate

Json = dict[str, object]

_NAME = re.compile(
    r"claude-(?:(?P<old_major>\d)(?:[-.](?P<old_minor>\d))?-)?(?P<family>opus|sonnet|haiku|fable|mythos)"
    r"(?:-(?P<major>\d)(?:[-.](?P<minor>\d))?(?!\d))?"
)
_UNKNOWN = (5, 0)

EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
"""The vendor's levels of effort, by OpenAI's."""

_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 10_000, "high": 16_384, "xhigh": 32_768, "max": 32_768}
_SMALLEST_BUDGET = 1024


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """One model's ways.

    Attributes:
        sampling: whether it takes temperature, top_p and top_k at all.
        both_samplings: whether it takes temperature and top_p together.
        thinking: how it is told to think: by effort, by a budget of tokens, or not at all.
        needs_thoughts: whether it refuses to think on after calls of tools that come back without its thoughts.
        thinking_off: the `thinking.type` that turns thinking off; None where nothing does.
        highest_effort: whether effort knows `xhigh`.
        forced_tools: whether a tool call can be forced.
        prefill: whether the conversation may end with the assistant's words.
        continues: whether it is known to go on from them; of Sonnet 4.6 the sources say both.
        schemas: whether answers and tool calls can be held to a schema.
        max_tokens: how many tokens to let it generate when nobody says.
    """

    sampling: bool
    both_samplings: bool
    thinking: Literal["adaptive", "budget", "none"]
    needs_thoughts: bool
    thinking_off: Literal["disabled", "between_tools"] | None
    highest_effort: bool
    forced_tools: bool
    prefill: bool
    continues: bool
    schemas: bool
    max_tokens: int


_FOREIGN = ModelTraits(
    sampling=True,
    both_samplings=True,
    thinking="budget",
    needs_thoughts=False,
    thinking_off="disabled",
    highest_effort=False,
    forced_tools=True,
    prefill=True,
    continues=False,
    schemas=True,
    max_tokens=8192,
)


def model_traits(model: str) -> ModelTraits:
    """The ways of the model of that name."""
    if "claude" not in model:
        return _FOREIGN
    family, version = _version(model)
    largest = family in ("fable", "mythos")
    never_off = largest or (family == "opus" and version >= (5, 5))
    between_tools = family == "sonnet" and version >= (5, 5)
    return ModelTraits(
        sampling=version < (4, 7) and not largest,
        both_samplings=version < (4, 1),
        thinking="none" if version < (3, 7) else "budget" if version < (4, 6) else "adaptive",
        needs_thoughts=version < (4, 6),
        thinking_off=None if never_off else "between_tools" if between_tools else "disabled",
        highest_effort=version >= (4, 7),
        forced_tools=not (never_off or between_tools),
        prefill=version < (4, 6) or (family == "sonnet" and version == (4, 6)),
        continues=version < (4, 6),
        schemas=version >= (4, 5),
        max_tokens=4096 if version < (3, 5) else 8192,
    )


def _version(model: str) -> tuple[str, tuple[int, int]]:
    found = _NAME.search(model)
    if found is None:
        return "", _UNKNOWN
    major = found["major"] or found["old_major"]
    minor = found["minor"] if found["major"] else found["old_minor"]
    return found["family"], (int(major), int(minor or 0)) if major else _UNKNOWN


def add_thinking(fields: Json, effort: str, traits: ModelTraits, forced: bool, limit: int, limited: bool) -> int:
    """Tells a model by a reasoning effort how much to think; what the caller wrote in the vendor's form goes first.

    Args:
        fields: the request's fields that are the model's own, `thinking` and `output_config` among them; added to.
        effort: `none`, or one of `EFFORTS` for a model that thinks.
        traits: the model's ways.
        forced: whether a tool call is forced, or comes back without the thoughts that it needs; both exclude thinking.
        limit: the most tokens of the answer.
        limited: whether the caller set that limit.

    Returns:
        The limit with what thinking adds. A budget counts as part of it and must be smaller; the caller's own is kept.
    """
    if effort == "none":
        if traits.thinking == "adaptive" and "thinking" not in fields:
            if traits.thinking_off is None:
                _set_effort(fields, "low")
            else:
                fields["thinking"] = {"type": traits.thinking_off}
    elif traits.thinking == "adaptive":
        level = EFFORTS[effort]
        _set_effort(fields, "high" if level == "xhigh" and not traits.highest_effort else level)
        if not forced:
            # What the model thought is left out unless asked for, at the newest models.
            fields.setdefault("thinking", {"type": "adaptive", "display": "summarized"})
    elif "thinking" not in fields and not forced:
        budget = min(_BUDGETS[effort], limit - 1) if limited else _BUDGETS[effort]
        if budget >= _SMALLEST_BUDGET:
            fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
        return limit if limited else limit + budget
    return limit


def keep_one_sampling(sampling: Json, top_p: str, gate: Gate) -> None:
    """Takes out temperature or top_p for a model that takes only one of them: what says 1, as it says nothing, else top_p.

    Args:
        sampling: both of them, and others.
        top_p: the key of `top_p`.
        gate: what becomes of parameters that cannot be honoured.

    Raises:
        ProviderError: UNSUPPORTED where the gate rejects.
    """
    if sampling["temperature"] == 1:
        del sampling["temperature"]
    elif sampling.pop(top_p) != 1:
        gate.meet("top_p")


def _set_effort(fields: Json, level: str) -> None:
    config = fields.get("output_config")
    fields["output_config"] = {"effort": level, **(config if isinstance(config, dict) else {})}
