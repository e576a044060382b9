"""The usages of the corpus, and the ways that the providers read their vendors' own form of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import yaml

from server.ledger.price import Price, Told
from server.ledger.price_document import read_price
from server.providers.anthropic import answer as anthropic_answer
from server.providers.bedrock import answer as bedrock_answer
from server.providers.cohere import answer as cohere_answer
from server.providers.gemini import wire as gemini_wire
from server.providers.openai.usage import sound_usage
from server.providers.openai.vendors import VENDORS
from trunkline.v1.chat_pb2 import Usage
from trunkline_json import USAGE

Wire = Mapping[str, object]
_FILE = Path(__file__).parent / "data" / "usages.yaml"


@dataclass(frozen=True, slots=True)
class Case:
    """One usage.

    Attributes:
        name: what it is of.
        type: the provider's type.
        wire: as the vendor writes it; None: it is there in the contract's form only.
        usage: as the contract counts.
        price: the price that holds.
        seconds: how long it took.
        micros: what it costs.
    """

    name: str
    type: str
    wire: Wire | None
    usage: Usage
    price: Price
    seconds: Decimal
    micros: int


def usage_of(form: Wire) -> Usage:
    """A usage from OpenAI's form of it."""
    return USAGE.parse(dict(form), strict=True)


def cases() -> list[Case]:
    """All of the corpus."""
    return [
        Case(
            row["name"],
            row["type"],
            row.get("wire"),
            usage_of(row.get("usage") or row["wire"]),
            _told(read_price(row["price"]), row.get("told", "nothing")),
            Decimal(row.get("seconds", 0)),
            row["micros"],
        )
        for row in yaml.safe_load(_FILE.read_text("utf-8"))
    ]


def read_wire(type: str, wire: Wire) -> Usage:
    """A usage as the provider of that type reads it."""
    own = _OWN.get(type)
    if own is not None:
        return own(json.dumps(wire).encode())
    vendor = next(vendor for vendor in VENDORS if vendor.type == type)
    return usage_of(sound_usage(dict(wire), vendor) or {})


def _told(price: Price, told: str) -> Price:
    return Price(price.rates, price.tiers, price.request, price.image, price.search, price.hour, Told(told))


_OWN: Mapping[str, Callable[[bytes], Usage]] = {
    "anthropic": lambda data: msgspec.json.decode(data, type=anthropic_answer.WireUsage).typed(),
    "bedrock": lambda data: msgspec.json.decode(data, type=bedrock_answer.WireUsage).typed(),
    "cohere": lambda data: msgspec.json.decode(data, type=cohere_answer.WireUsage).typed(),
    "gemini": lambda data: msgspec.json.decode(data, type=gemini_wire.WireUsage).typed(),
}
