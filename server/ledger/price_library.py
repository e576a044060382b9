"""The public prices that genai-prices brings -> prices here, with the times from which they hold.

Importing this file costs a quarter of a second and some 15 MB, most of it the data: `prices.py` does so at first need.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from server.ledger.price import FREE, Price, Rates, Tier, Told
from server.ledger.price_schedule import DAY, Dated

_RATES = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "input_audio": "input_audio_mtok",
    "cached_audio": "cache_audio_read_mtok",
    "input_image": "input_image_mtok",
    "cached_image": "cache_image_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
    "output_audio": "output_audio_mtok",
    "output_image": "output_image_mtok",
    "citation": "output_citation_mtok",
}
_IGNORED = frozenset({"storage_searches_kcount"})
"""What is paid for with tools that are not asked for here."""
_KNOWN = frozenset({*_RATES.values(), "requests_kcount", "web_searches_kcount"}) | _IGNORED
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Library:
    """The public prices. Immutable."""

    def __init__(self, known: Sequence[Provider] = providers) -> None:
        self._all = list(known)
        self._by_id = {provider.id: provider for provider in self._all}

    def find(self, vendor: str, names: Sequence[str], tier: str, told: Told) -> Sequence[Dated]:
        """What a model cost and costs; empty: not known.

        Args:
            vendor: the library's name of who is paid.
            names: what the model may be called, the likeliest first.
            tier: the tier that served the completion, by OpenAI's names; empty: the usual one.
            told: what that vendor tells of money.
        """
        provider = self._by_id[vendor]
        for name in names:
            model = provider.find_model(name, all_providers=self._all)
            if model is not None:
                own = any(model is each for each in provider.models)
                return _schedule(model, tier if own else "", told)
        return ()


def _schedule(model: ModelInfo, tier: str, told: Told) -> tuple[Dated, ...]:
    """Asks the library for each day and hour at which something of the price changes."""
    given = model.prices if isinstance(model.prices, list) else []
    limits = [each.constraint for each in (*given, *(model.price_variants or ()))]
    begins = sorted({_EPOCH, *(_midnight(each) for each in limits if isinstance(each, StartDateConstraint))})
    hours = sorted(
        {
            _of_day(limit)
            for each in limits
            if isinstance(each, TimeOfDateConstraint)
            for limit in (each.start_time, each.end_time)
        }
    )
    windows: list[tuple[int, int] | None] = [*zip(hours, [*hours[1:], *hours[:1]], strict=True)] or [None]
    context = {"service_tier": tier} if tier else None
    free = model.id.endswith(":free")
    return tuple(
        Dated(
            (begin - _EPOCH) // _MICROSECOND,
            window,
            _price(model.get_prices(begin + _MICROSECOND * (window[0] if window else 0), context), told, free),
        )
        for begin in begins
        for window in windows
    )


def _midnight(limit: StartDateConstraint) -> datetime:
    return datetime.combine(limit.start_date, time(), UTC)


def _of_day(moment: time) -> int:
    """Microseconds since midnight, both in UTC; the library means UTC where it says nothing."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (datetime.combine(_EPOCH.date(), aware) - _EPOCH) // _MICROSECOND % DAY


def _price(prices: ModelPrice, told: Told, free: bool) -> Price | None:
    """The price; None: it has parts that cannot be counted here, as hours of sound and pages of documents.

    No price at all is what models have that cost nothing, but those too that are no longer listed: the name has to say it.
    """
    given: dict[str, Decimal | TieredPrices] = {key: value for key, value in vars(prices).items() if value is not None}
    if free and not given:
        return replace(FREE, told=told)
    if not {"input_mtok", "output_mtok"} & given.keys() or given.keys() - _KNOWN:
        return None
    starts = {tier.start for value in given.values() if isinstance(value, TieredPrices) for tier in value.tiers}
    if any(amount < 0 for start in {0, *starts} for amount in (_at(value, start) for value in given.values())):
        return None  # "depends on what it is routed to", as OpenRouter writes it
    return Price(
        rates=_rates(given, 0),
        tiers=tuple(Tier(start, _rates(given, start)) for start in sorted(starts)),
        request=_each(given.get("requests_kcount")),
        search=_each(given.get("web_searches_kcount")),
        told=told,
    )


def _rates(given: dict[str, Decimal | TieredPrices], start: int) -> Rates:
    return Rates(**{name: _at(given[key], start) for name, key in _RATES.items() if key in given})


def _at(value: Decimal | TieredPrices, start: int) -> Decimal:
    """What holds in the tier that begins there."""
    if isinstance(value, Decimal):
        return value
    return next((tier.price for tier in reversed(value.tiers) if 0 < tier.start <= start), value.base)


def _each(thousand: Decimal | TieredPrices | None) -> Decimal:
    return Decimal(0) if thousand is None else _at(thousand, 0) / 1000
