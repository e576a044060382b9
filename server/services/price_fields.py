"""Prices that are set: the contract's form of them <-> the document that is kept."""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from server.errors import invalid_request
from server.ledger.price_document import APART, RATES, Document, read_dollars
from server.services.admin_fields import time
from server.services.requests import check_model
from server.services.times import timestamp
from server.tenancy import records
from trunkline.v1.price_pb2 import Price, PriceRates, PriceTier

_MOST_TIERS = 20
_PROVIDER = re.compile(r"[A-Za-z0-9_.-]{0,64}")


def provider(given: Price) -> str:
    """The name or the type of a provider's row; empty: all.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if not _PROVIDER.fullmatch(given.provider):
        raise invalid_request("`provider` may have letters, digits and `-_.`, at most 64 characters.", "provider")
    return given.provider


def model(given: Price) -> str:
    """The model.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    check_model(given.model)
    return given.model


def effective_time(given: Price) -> int | None:
    """From when on a price is to hold, in microseconds since the epoch; None: nobody said.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    return time(given.effective_time, "effective_time") if given.HasField("effective_time") else None


def document(given: Price) -> Document:
    """The document of a price's amounts, as `price_document.read_price` reads it.

    Raises:
        GatewayError: INVALID_REQUEST for amounts that are none, and where there are none at all.
    """
    if len(given.tiers) > _MOST_TIERS:
        raise invalid_request(f"`tiers` may have {_MOST_TIERS} tiers.", "tiers")
    made: Document = {**_amounts(given.rates, RATES, "rates."), **_amounts(given, APART, "")}
    if given.tiers:
        befores = [-1, *(tier.over_input_tokens for tier in given.tiers)]
        made["tiers"] = [_tier(tier, place, befores[place]) for place, tier in enumerate(given.tiers)]
    if not made:
        raise invalid_request("`rates` is missing: a price needs an amount, as `rates.input`.", "rates")
    return made


def price_message(record: records.Price) -> Price:
    """A price."""
    message = Price(
        name=f"prices/{record.id}",
        provider=record.provider,
        model=record.model,
        effective_time=timestamp(record.effective_time),
        rates=_rates_message(record.price),
        create_time=timestamp(record.create_time),
    )
    for name, text in _texts(record.price, APART).items():
        setattr(message, name, text)
    for tier in cast(Sequence[Document], record.price.get("tiers", ())):
        message.tiers.add(over_input_tokens=cast(int, tier["over"]), rates=_rates_message(tier))
    return message


def _amounts(given: Price | PriceRates, names: Sequence[str], path: str) -> dict[str, str]:
    """Those amounts that are there, as they are written."""
    there = [name for name in names if given.HasField(name)]
    for name in there:
        try:
            read_dollars(f"{path}{name}", getattr(given, name))
        except ValueError as error:
            raise invalid_request(f"{error}.", f"{path}{name}") from None
    return {name: getattr(given, name) for name in there}


def _tier(given: PriceTier, place: int, before: int) -> Document:
    path = f"tiers[{place}]"
    if given.over_input_tokens <= before:
        text = f"`{path}.over_input_tokens` must be 0 or more, and more than the tier before has."
        raise invalid_request(text, f"{path}.over_input_tokens")
    rates = _amounts(given.rates, RATES, f"{path}.rates.")
    if not rates:
        raise invalid_request(f"`{path}.rates` is missing: a tier needs an amount.", f"{path}.rates")
    return {"over": given.over_input_tokens, **rates}


def _rates_message(document: Mapping[str, object]) -> PriceRates:
    return PriceRates(**_texts(document, RATES))


def _texts(document: Mapping[str, object], names: Sequence[str]) -> dict[str, str]:
    return {name: str(document[name]) for name in names if name in document}
