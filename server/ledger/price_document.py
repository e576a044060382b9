"""A price as the JSON object that is stored and sent, decimals as texts, and back. It refuses what cannot be a price."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from server.ledger.price import ZERO, AtomRates, Price, Rates, Tier

Document = dict[str, object]

_RATES = AtomRates._fields
_APART = ("request", "image", "search", "hour")
_MOST = Decimal(1_000_000_000)


def price_document(price: Price) -> Document:
    """The document of a price that somebody set: `input`, `output` and so on, and `tiers` with `over`."""
    document: Document = dict(_rates_document(price.rates))
    for name in _APART:
        value: Decimal | None = getattr(price, name)
        if value:
            document[name] = format(value, "f")
        elif name == "image" and value is not None:
            document[name] = "0"
    if price.tiers:
        document["tiers"] = [{"over": tier.over, **_rates_document(tier.rates)} for tier in price.tiers]
    return document


def read_price(document: Mapping[str, object]) -> Price:
    """Reads a price.

    Raises:
        ValueError: where it is none; it says at which key.
    """
    unknown = sorted(document.keys() - {*_RATES, *_APART, "tiers"})
    if unknown:
        raise ValueError(f"`{unknown[0]}` is no part of a price")
    request, image, search, hour = (_dollars(name, document[name]) if name in document else None for name in _APART)
    tiers = _tiers(document.get("tiers", []))
    return Price(_rates(document), tiers, request or ZERO, image, search or ZERO, hour or ZERO)


def _rates_document(rates: Rates) -> dict[str, str]:
    values = {name: getattr(rates, name) for name in _RATES}
    return {name: format(value, "f") for name, value in values.items() if value is not None}


def _rates(document: Mapping[str, object]) -> Rates:
    return Rates(**{name: _dollars(name, document[name]) for name in _RATES if name in document})


def _tiers(given: object) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for each in given if isinstance(given, list) else [given]:
        if not isinstance(each, dict) or each.keys() - {"over", *_RATES}:
            raise ValueError("`tiers` is a list of objects with `over` and what tokens cost")
        over = each.get("over")
        if type(over) is not int or over < 0 or (tiers and over <= tiers[-1].over):
            raise ValueError("`over` is a whole number, larger in each tier")
        tiers.append(Tier(over, _rates(each)))
    return tuple(tiers)


def _dollars(name: str, text: object) -> Decimal:
    try:
        value = Decimal(text) if isinstance(text, str) and len(text) <= 40 else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or not 0 <= value <= _MOST or int(value.as_tuple().exponent) < -20:
        raise ValueError(f"`{name}` is a decimal number in quotes, not negative")
    return value
