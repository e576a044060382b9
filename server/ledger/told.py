"""What a vendor tells beside its counts -> what it charged, and the counts that only some vendors have.

It comes as the JSON object in a usage's `extra_json`. What is not as its vendor documents it counts as not told.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import msgspec

from server.ledger.price import Told

_T = TypeVar("_T")
_MOST = 1 << 53
_MILLION = Decimal(1_000_000)
_TICKS = Decimal("0.0001")
"""Micro-dollars of a tick, of which 10,000,000,000 make a dollar."""


class _CostDetails(msgspec.Struct):
    upstream_inference_cost: msgspec.Raw = msgspec.Raw()


class _Cost(msgspec.Struct):
    total_cost: msgspec.Raw = msgspec.Raw()


class _Creation(msgspec.Struct):
    ephemeral_1h_input_tokens: msgspec.Raw = msgspec.Raw()


class _CacheDetail(msgspec.Struct, rename="camel"):
    ttl: str = ""
    input_tokens: int = 0


class _ToolUse(msgspec.Struct):
    web_search_requests: msgspec.Raw = msgspec.Raw()


class _ByKind(msgspec.Struct):
    image_tokens: msgspec.Raw = msgspec.Raw()


class _Units(msgspec.Struct):
    input_tokens: msgspec.Raw = msgspec.Raw()
    output_tokens: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Units:
    """The counts that are paid for, where a vendor tells them apart."""

    input_tokens: int
    output_tokens: int


class ToldUsage(msgspec.Struct):
    """The object, its values not looked at yet."""

    cost: msgspec.Raw = msgspec.Raw()
    cost_details: msgspec.Raw = msgspec.Raw()
    is_byok: msgspec.Raw = msgspec.Raw()
    cost_in_usd_ticks: msgspec.Raw = msgspec.Raw()
    billed_units: msgspec.Raw = msgspec.Raw()
    cache_creation: msgspec.Raw = msgspec.Raw()
    cache_details: msgspec.Raw = msgspec.Raw()
    server_tool_use: msgspec.Raw = msgspec.Raw()
    num_search_queries: msgspec.Raw = msgspec.Raw()
    citations: msgspec.Raw = msgspec.field(name="citation_tokens", default=msgspec.Raw())
    reasoning: msgspec.Raw = msgspec.field(name="reasoning_tokens", default=msgspec.Raw())
    input_tokens_details: msgspec.Raw = msgspec.Raw()
    image_tokens: msgspec.Raw = msgspec.Raw()

    def hour_writes(self) -> int:
        """Tokens written to the cache for an hour: Anthropic's and Bedrock's."""
        details = _read(self.cache_details, list[_CacheDetail]) or []
        from_details = sum(_bounded(each.input_tokens) for each in details if each.ttl == "1h")
        creation = _read(self.cache_creation, _Creation)
        return from_details + (_count(creation.ephemeral_1h_input_tokens) if creation is not None else 0)

    def searches(self) -> int:
        """Searches that the vendor did: Anthropic's and Perplexity's."""
        tools = _read(self.server_tool_use, _ToolUse)
        return _count(self.num_search_queries) + (_count(tools.web_search_requests) if tools is not None else 0)

    def citation_tokens(self) -> int:
        """Tokens of what was cited: Perplexity's."""
        return _count(self.citations)

    def reasoning_apart(self) -> int:
        """Reasoning that is not in the output: Perplexity's."""
        return _count(self.reasoning)

    def input_images(self) -> int:
        """Tokens of images in the prompt for an image."""
        details = _read(self.input_tokens_details, _ByKind)
        return 0 if details is None else _count(details.image_tokens)

    def output_images(self) -> int:
        """Tokens of generated images, of an answer's details."""
        return _count(self.image_tokens)


NOTHING_TOLD = ToldUsage()


_DECODER = msgspec.json.Decoder(ToldUsage)


def read_told(extra_json: str) -> ToldUsage:
    """The object; what is none tells nothing."""
    if not extra_json:
        return NOTHING_TOLD
    try:
        return _DECODER.decode(extra_json)
    except msgspec.DecodeError:
        return NOTHING_TOLD


def charged(how: Told, told: ToldUsage) -> Decimal | None:
    """The micro-dollars that the vendor says that it charged; None: it does not say.

    Args:
        how: how this vendor tells.
        told: what it told.
    """
    if told is NOTHING_TOLD or how in (Told.NOTHING, Told.UNITS):
        return None
    if how is Told.TICKS:
        ticks = _amount(told.cost_in_usd_ticks)
        return None if ticks is None else ticks * _TICKS
    if how is Told.TOTAL_COST:
        whole = _read(told.cost, _Cost)
        dollars = None if whole is None else _amount(whole.total_cost)
        return None if dollars is None else dollars * _MILLION
    dollars = _amount(told.cost)
    if dollars is None:
        return None
    if _read(told.is_byok, bool):
        details = _read(told.cost_details, _CostDetails)
        upstream = None if details is None else _amount(details.upstream_inference_cost)
        if upstream is None:
            return None  # the greater part is not told
        dollars += upstream
    return dollars * _MILLION


def told_units(how: Told, told: ToldUsage) -> Units | None:
    """The counts that are paid for; None: those of the usage are."""
    if how is not Told.UNITS or told is NOTHING_TOLD:
        return None
    units = _read(told.billed_units, _Units)
    if units is None:
        return None
    of_input, of_output = _amount(units.input_tokens), _amount(units.output_tokens)
    if of_input is None and of_output is None:
        return None
    return Units(int(of_input or 0), int(of_output or 0))


def _read(raw: msgspec.Raw, kind: type[_T]) -> _T | None:
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        return None


def _count(raw: msgspec.Raw) -> int:
    return _bounded(_read(raw, int) or 0)


def _bounded(count: int) -> int:
    return max(0, min(count, _MOST))


def _amount(raw: msgspec.Raw) -> Decimal | None:
    """A number, not of a text; None: there is none, or none that can be."""
    amount = None if bytes(raw).lstrip()[:1] == b'"' else _read(raw, Decimal)
    return amount if amount is not None and 0 <= amount <= _MOST else None
