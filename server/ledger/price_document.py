"""The JSON object as which a price is stored, decimals as texts -> the price. It refuses what cannot be one."""

import re
from collections.abc import Mapping
from decimal import Decimal

from server.ledger.price import KINDS, ZERO, Price, Rates, Tier

Document = dict[str, object]

RATES = KINDS
"""The amounts of tokens."""
APART = ("request", "image", "search", "hour")
"""The amounts of all else."""

_MOST = Decimal(1_000_000_000)
_PLAIN = re.compile(r"[0-9]{1,10}(\.[0-9]{1,20})?")


def read_price(document: Mapping[str, object]) -> Price:
    """Reads a price: `input`, `output` and so on, and `tiers` with `over`.

    Raises:
        ValueError: where it is none; it says at which key.
    """
    unknown = sorted(document.keys() - {*RATES, *APART, "tiers"})
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no part of a price")
    request, image, search, hour = (read_dollars(name, document[name]) if name in document else None for name in APART)
    tiers = _tiers(document.get("tiers", []))
    return Price(_rates(document), tiers, request or ZERO, image, search or ZERO, hour or ZERO)


def read_dollars(name: str, text: object) -> Decimal:
    """Reads an amount.

    Args:
        name: what to call it where it is none.
        text: the amount.

    Raises:
        ValueError: it is none.
    """
    value = Decimal(text) if isinstance(text, str) and _PLAIN.fullmatch(text) else None
    if value is None or value > _MOST:
        raise ValueError(
            f"`{name}` must be a decimal number in text, from 0 to {_MOST}, with at most 20 digits after its point"
        )
    return value


def _rates(document: Mapping[str, object]) -> Rates:
    return Rates(**{name: read_dollars(name, document[name]) for name in RATES if name in document})


def _tiers(given: object) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for each in given if isinstance(given, list) else [given]:
        if not isinstance(each, dict) or each.keys() - {"over", *RATES}:
            raise ValueError("`tiers` is a list of objects with `over` and what tokens cost")
        over = each.get("over")
        if type(over) is not int or over < 0 or (tiers and over <= tiers[-1].over):
            raise ValueError("`over` is a whole number, larger in each tier")
        tiers.append(Tier(over, _rates(each)))
    return tuple(tiers)
