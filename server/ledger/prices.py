"""Which price holds for a completion: one that was set for the model, else the provider's row, else the public one.

A price that was set holds from its time on; before, and where none was set, what the row in the configuration says; and
where that says nothing, what genai-prices knows. What nobody knows is None, never a guess.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Protocol, cast

from server.config.provider_settings import ProviderSettings
from server.ledger.model_names import model_names
from server.ledger.price import FREE, ZERO, Price, Rates, Tier, Told
from server.ledger.price_schedule import Dated, price_at

_VENDORS = {
    "anthropic": "anthropic",
    "azure_openai": "azure",
    "bedrock": "aws",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gemini": "google",
    "grok": "x-ai",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
}
"""A provider's type -> who is paid, by the public list's names. Of other types it knows nothing."""
_FREE_UNLESS_TOLD = frozenset({"echo", "ollama", "openai_compatible", "vllm"})
"""Types that run on machines of one's own: where some of their costs are told, those not told are nothing."""
_TOLD = {
    "cohere": Told.UNITS,
    "grok": Told.TICKS,
    "openrouter": Told.COST,
    "perplexity": Told.TOTAL_COST,
}
_TIERS = frozenset({"fast", "flex", "priority"})
"""Tiers whose tokens have a price of their own; callers may name any others."""
_KEPT = 4096
"""How many models' prices are kept at hand."""


class Base(Protocol):
    """The public prices."""

    def find(self, vendor: str, names: Sequence[str], tier: str, told: Told) -> Sequence[Dated]:
        """See `price_library.Library`."""
        ...


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price that was set.

    Attributes:
        provider: for which provider, its name or its type; empty: for all.
        model: the model's name there.
        effective_time: from when on, microseconds since the epoch.
        price: the price.
    """

    provider: str
    model: str
    effective_time: int
    price: Price


@dataclass(frozen=True, slots=True)
class _Known:
    settings: ProviderSettings
    schedule: Sequence[Dated]


@cache
def public_prices() -> Base:
    """Loads the public prices: a quarter of a second and some 15 MB, which a gateway without need of them is spared."""
    library = import_module("server.ledger.price_library")
    return cast(Callable[[], Base], library.Library)()


class Prices:
    """The prices. To be asked in the event loop; `load` may run in a thread beside.

    Args:
        rows: the prices that were set.
        base: loads the public prices; called once, at the first need of them.
    """

    def __init__(self, rows: Iterable[PriceRow] = (), base: Callable[[], Base] = public_prices) -> None:
        self._rows = tuple(rows)
        self._load_base = base
        self._base: Base | None = None
        self._loading = Lock()
        self._known: dict[tuple[str, str, str], _Known] = {}

    def price(self, settings: ProviderSettings, model: str, at: int, tier: str = "") -> Price | None:
        """What a model costs; None: not known.

        Args:
            settings: the row of the provider that answers.
            model: what it is sent as the model.
            at: the time of the completion, microseconds since the epoch.
            tier: the tier that served it, by OpenAI's names; empty: the usual one.
        """
        tier = tier if tier in _TIERS else ""
        key = (settings.name, model, tier)
        known = self._known.get(key)
        if known is None or known.settings is not settings:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[key] = _Known(settings, self._schedule(settings, model, tier))
        return price_at(known.schedule, at)

    def price_set(self, settings: ProviderSettings, model: str, at: int) -> Price | None:
        """What was set for a model; None: nothing. As `price`."""
        return price_at(self._set_schedule(settings, model_names(settings, model)), at)

    def set_rows(self, rows: Iterable[PriceRow]) -> None:
        """Takes other prices for those that were set."""
        self._rows = tuple(rows)
        self._known = {}

    def load(self, providers: Iterable[ProviderSettings]) -> None:
        """Loads the public prices, where a provider needs them.

        To be run in a thread once the gateway serves, else the first completion waits for it; the thread, too, holds up
        everything else for a sixth of a second, while Python reads the data in one piece.
        """
        if any(settings.type in _VENDORS and _configured(settings) is None for settings in providers):
            self._loaded()

    def _loaded(self) -> Base:
        with self._loading:
            if self._base is None:
                self._base = self._load_base()
            return self._base

    def _schedule(self, settings: ProviderSettings, model: str, tier: str) -> Sequence[Dated]:
        """The prices in the order of their weight: public ones, the configuration's, those set for all, a type, the row."""
        names = model_names(settings, model)
        return [*self._usual(settings, names, tier), *self._set_schedule(settings, names)]

    def _set_schedule(self, settings: ProviderSettings, names: Sequence[str]) -> Sequence[Dated]:
        schedule: list[Dated] = []
        for provider in ("", settings.type, settings.name):
            rows = [row for row in self._rows if row.provider == provider and row.model in names]
            # Of rows for one model the later one holds, and a name as it was sent outweighs one without its date.
            rows.sort(key=lambda row: (-names.index(row.model), row.effective_time))
            schedule += [Dated(row.effective_time, None, _set(settings, row.price)) for row in rows]
        return schedule

    def _usual(self, settings: ProviderSettings, names: Sequence[str], tier: str) -> Sequence[Dated]:
        if settings.type == "echo" and _configured(settings) is None:
            return [Dated(0, None, FREE)]
        configured = _configured(settings)
        if configured is not None and None not in (configured.rates.input, configured.rates.output):
            return [Dated(0, None, configured)]
        told = _TOLD.get(settings.type, Told.NOTHING)
        public: Sequence[Dated] = ()
        if settings.type in _VENDORS:
            public = self._loaded().find(_VENDORS[settings.type], names, tier, told)
        if told in (Told.COST, Told.TOTAL_COST, Told.TICKS):  # it says what it charged, known price or not
            public = [replace(dated, price=dated.price or Price(told=told)) for dated in public] or [
                Dated(0, None, Price(told=told))
            ]
        if configured is None:
            return public
        return [replace(dated, price=_merged(configured, dated.price)) for dated in public or [Dated(0, None, None)]]


def _configured(settings: ProviderSettings) -> Price | None:
    """What the row says; None: nothing. What it leaves out of tokens is None there, and nothing for a local provider."""
    of_input, of_output = _million(settings.cost_per_1k_input_tokens), _million(settings.cost_per_1k_output_tokens)
    hour = settings.electricity_cost_per_hour
    if of_input is None and of_output is None and hour is None:
        return None
    rest = ZERO if settings.type in _FREE_UNLESS_TOLD else None
    rates = Rates(input=rest if of_input is None else of_input, output=rest if of_output is None else of_output)
    return Price(rates, hour=ZERO if hour is None else Decimal(str(hour)), told=_units(settings))


def _merged(configured: Price, public: Price | None) -> Price:
    """The public price with what the row says in its place: a side that the row tells is told wholly."""
    price = public or Price()
    rates = configured.rates

    def sides(usual: Rates) -> Rates:
        if rates.input is not None:
            usual = Rates(
                input=rates.input,
                output=usual.output,
                reasoning=usual.reasoning,
                output_audio=usual.output_audio,
                output_image=usual.output_image,
                citation=usual.citation,
            )
        if rates.output is not None:
            usual = replace(usual, output=rates.output, reasoning=None, output_audio=None, output_image=None, citation=None)
        return usual

    tiers = tuple(Tier(tier.over, sides(tier.rates)) for tier in price.tiers)
    tokens_told = rates.input is not None or rates.output is not None
    told = configured.told if tokens_told else price.told
    return replace(price, rates=sides(price.rates), tiers=tiers, hour=configured.hour, told=told)


def _set(settings: ProviderSettings, price: Price) -> Price:
    """A price that was set; it counts, whatever the vendor says that it charged."""

    def whole(rates: Rates) -> Rates:
        return replace(rates, input=rates.input or ZERO, output=rates.output or ZERO)

    if settings.type in _FREE_UNLESS_TOLD:
        tiers = tuple(Tier(tier.over, whole(tier.rates)) for tier in price.tiers)
        price = replace(price, rates=whole(price.rates), tiers=tiers)
    return replace(price, told=_units(settings))


def _units(settings: ProviderSettings) -> Told:
    """What the vendor tells of counts, which holds for any price."""
    told = _TOLD.get(settings.type, Told.NOTHING)
    return told if told is Told.UNITS else Told.NOTHING


def _million(thousand: float | None) -> Decimal | None:
    return None if thousand is None else Decimal(str(thousand)) * 1000
