"""Which price holds: precedence, time, names; and what the public prices are read as."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from server.config.provider_settings import ProviderSettings
from server.ledger.price import FREE, Price, Rates, Told
from server.ledger.price import Tier as PriceTier
from server.ledger.price_document import read_price
from server.ledger.price_library import Library
from server.ledger.price_schedule import Dated, price_at
from server.ledger.prices import PriceRow, Prices
from server.providers.loader import provider_kinds

NOW = 1_790_000_000_000_000
HOUR = 3_600_000_000


def priced(dollars: str, told: Told = Told.NOTHING) -> Price:
    return Price(Rates(input=Decimal(dollars), output=Decimal(dollars)), told=told)


def row(type: str, name: str = "main", **settings: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"name": name, "type": type, **settings})


class Pinned:
    """Public prices by vendor and name; it counts how often it is asked."""

    def __init__(self, known: dict[tuple[str, str], Price]) -> None:
        self.known = known
        self.asked = 0

    def find(self, vendor: str, names: Sequence[str], tier: str, told: Told) -> Sequence[Dated]:
        self.asked += 1
        found = [self.known[vendor, name] for name in names if (vendor, name) in self.known]
        return [Dated(0, None, replace(found[0], told=told))] if found else []


def never() -> Pinned:
    raise AssertionError("the public prices were not to be loaded")


PUBLIC = {("openai", "gpt-4o"): priced("1"), ("aws", "anthropic.claude-v1:0"): priced("2"), ("azure", "gpt-4o"): priced("3")}


def public() -> Prices:
    return Prices(base=lambda: Pinned(PUBLIC))


@pytest.mark.parametrize(
    ("settings", "model", "price"),
    [
        (row("openai"), "gpt-4o", priced("1")),
        (row("openai"), "openai/gpt-4o", priced("1")),
        (row("openai"), "gpt-4o-2031-01-02", priced("1")),
        (row("openai"), "gpt-4o-20310102", priced("1")),
        (row("openai"), "gpt-4o@20310102", priced("1")),
        (row("openai"), "gpt-4o-3101", None),
        (row("openai"), "my-gpt-4o", None),
        (row("openai"), "acme/gpt-4o", None),
        (row("azure_openai"), "gpt-4o", priced("3")),
        (row("azure_openai", deployments={"gpt-4o": "prod"}), "prod", priced("3")),
        (row("azure_openai", deployment_id="prod", models=["gpt-4o"]), "prod", priced("3")),
        (row("azure_openai", deployment_id="prod", models=["gpt-*"]), "prod", None),
        (row("azure_openai"), "prod", None),
        (row("bedrock"), "anthropic.claude-v1:0", priced("2")),
        (row("openai_compatible"), "gpt-4o", None),
        (row("ollama"), "llama3", None),
        (row("blackbox"), "openai/gpt-4o", None),
        (row("echo"), "anything", FREE),
    ],
    ids=lambda value: value.type if isinstance(value, ProviderSettings) else value if isinstance(value, str) else "",
)
def test_a_model_is_found_by_what_it_may_be_called(settings: ProviderSettings, model: str, price: Price | None) -> None:
    assert public().price(settings, model, NOW) == price


@pytest.mark.parametrize(
    ("type", "told"),
    [("openrouter", Told.COST), ("perplexity", Told.TOTAL_COST), ("grok", Told.TICKS), ("cohere", None), ("openai", None)],
)
def test_vendors_that_say_what_they_charged_need_no_price(type: str, told: Told | None) -> None:
    assert public().price(row(type), "unheard-of", NOW) == (None if told is None else Price(told=told))


def test_every_type_is_one_that_there_is() -> None:
    kinds = {kind.type for kind in provider_kinds()}
    asked = "anthropic azure_openai bedrock cohere deepseek gemini grok groq mistral openai openrouter perplexity"
    local = "echo ollama openai_compatible vllm"
    assert set(asked.split()) | set(local.split()) <= kinds


def test_what_the_row_says_holds_instead_of_the_public_price() -> None:
    settings = row("openai", cost_per_1k_input_tokens=0.001, cost_per_1k_output_tokens=0.002)
    expected = Price(Rates(input=Decimal(1), output=Decimal(2)))
    assert Prices(base=never).price(settings, "gpt-4o", NOW) == expected


def test_a_row_may_say_that_it_is_free() -> None:
    settings = row("openrouter", cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)
    assert Prices(base=never).price(settings, "a/b", NOW) == FREE


def test_a_side_that_the_row_leaves_out_is_the_public_one() -> None:
    found = public().price(row("openai", cost_per_1k_output_tokens=0.5), "gpt-4o", NOW)
    assert found == Price(Rates(input=Decimal(1), output=Decimal(500)))


def test_a_side_that_nobody_knows_stays_unknown() -> None:
    found = public().price(row("openai", cost_per_1k_input_tokens=0.5), "unheard-of", NOW)
    assert found == Price(Rates(input=Decimal(500)))


@pytest.mark.parametrize("type", ["ollama", "vllm", "openai_compatible"])
def test_a_local_model_with_electricity_costs_its_time(type: str) -> None:
    found = Prices(base=never).price(row(type, electricity_cost_per_hour=0.5), "llama3", NOW)
    assert found == replace(FREE, hour=Decimal("0.5"))


def test_electricity_comes_on_top_of_a_public_price() -> None:
    found = public().price(row("openai", electricity_cost_per_hour=0.5), "gpt-4o", NOW)
    assert found == replace(priced("1"), hour=Decimal("0.5"))


def test_a_price_that_was_set_holds_from_its_time_on() -> None:
    prices = Prices(
        [PriceRow("openai", "gpt-4o", NOW, priced("7")), PriceRow("openai", "gpt-4o", NOW + 10, priced("8"))],
        base=lambda: Pinned(PUBLIC),
    )
    found = [prices.price(row("openai"), "gpt-4o", NOW + after) for after in (-1, 0, 9, 10)]
    assert found == [priced("1"), priced("7"), priced("7"), priced("8")]


def test_a_price_for_the_row_outweighs_one_for_its_type_and_that_one_for_all() -> None:
    rows = [PriceRow(provider, "m", 0, priced(dollars)) for provider, dollars in (("main", "3"), ("vllm", "2"), ("", "1"))]
    found = [Prices(rows[place:]).price(row("vllm"), "m", NOW) for place in range(3)]
    assert found == [priced("3"), priced("2"), priced("1")]


def test_a_price_for_the_name_as_it_was_sent_outweighs_a_later_one_without_its_date() -> None:
    rows = [PriceRow("", "m-2025-01-01", 0, priced("2")), PriceRow("", "m", 5, priced("1"))]
    assert Prices(rows).price(row("vllm"), "m-2025-01-01", NOW) == priced("2")


def test_what_a_price_leaves_out_costs_nothing_at_home_for_large_inputs_too() -> None:
    rates = Rates(input=Decimal(1))
    row_ = PriceRow("", "m", 0, Price(rates, (PriceTier(5, Rates(input=Decimal(2))),)))
    found = Prices([row_]).price(row("vllm"), "m", NOW)
    assert found is not None
    assert [found.rates_of(tokens).output for tokens in (5, 6)] == [0, 0]


def test_a_price_that_was_set_outweighs_the_row_and_what_the_vendor_says() -> None:
    settings = row("openrouter", cost_per_1k_input_tokens=1, cost_per_1k_output_tokens=1)
    assert Prices([PriceRow("", "a/b", 0, priced("5"))]).price(settings, "a/b", NOW) == priced("5")


def test_counts_that_a_vendor_bills_hold_for_any_price() -> None:
    assert Prices([PriceRow("", "c", 0, priced("5"))], lambda: Pinned({})).price(row("cohere"), "c", NOW) == priced(
        "5", Told.UNITS
    )


def test_other_rows_and_other_settings_hold_at_once() -> None:
    prices, settings = Prices([PriceRow("", "m", 0, priced("1"))]), row("vllm")
    assert prices.price(settings, "m", NOW) == priced("1")
    prices.set_rows([PriceRow("", "m", 0, priced("2"))])
    assert prices.price(settings, "m", NOW) == priced("2")
    prices.set_rows([])
    assert prices.price(row("vllm", electricity_cost_per_hour=1), "m", NOW) == replace(FREE, hour=Decimal(1))


def test_a_price_is_looked_up_once() -> None:
    base, settings = Pinned(PUBLIC), row("openai")
    prices = Prices(base=lambda: base)
    assert [prices.price(settings, "gpt-4o", NOW + second) for second in range(3)] == [priced("1")] * 3
    assert base.asked == 1


def test_the_public_prices_are_loaded_only_for_who_needs_them() -> None:
    free = row("openai", cost_per_1k_input_tokens=0, cost_per_1k_output_tokens=0)
    Prices(base=never).load([row("echo"), row("ollama"), free])
    loaded: list[Pinned] = []

    def load() -> Pinned:
        loaded.append(Pinned(PUBLIC))
        return loaded[0]

    prices = Prices(base=load)
    prices.load([row("echo"), row("openai")])
    prices.load([row("openai")])
    assert prices.price(row("openai"), "gpt-4o", NOW) == priced("1")
    assert len(loaded) == 1


@pytest.mark.parametrize(
    ("window", "at", "holds"),
    [
        ((2 * HOUR, 4 * HOUR), 2 * HOUR, True),
        ((2 * HOUR, 4 * HOUR), 4 * HOUR, False),
        ((22 * HOUR, 2 * HOUR), 23 * HOUR, True),
        ((22 * HOUR, 2 * HOUR), 25 * HOUR, True),
        ((22 * HOUR, 2 * HOUR), 3 * HOUR, False),
        ((5 * HOUR, 5 * HOUR), 3 * HOUR, True),
    ],
)
def test_a_price_may_hold_at_some_hours_only(window: tuple[int, int], at: int, holds: bool) -> None:
    schedule = [Dated(0, None, priced("1")), Dated(0, window, priced("2"))]
    assert price_at(schedule, at) == priced("2" if holds else "1")


def micros(when: str) -> int:
    return int(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp()) * 1_000_000


def library(*models: ModelInfo) -> Library:
    return Library([Provider("acme", "Acme", "https://acme", models=list(models))])


def cost(**prices: str) -> ModelPrice:
    return ModelPrice(**{f"{name}_mtok": Decimal(dollars) for name, dollars in prices.items()})


def test_public_prices_of_the_past_hold_for_the_past_and_dear_hours_for_theirs() -> None:
    model = ModelInfo(
        "m",
        ClauseEquals("m"),
        prices=[
            ConditionalPrice(prices=cost(input="1", output="1")),
            ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=cost(input="2", output="2")),
            ConditionalPrice(TimeOfDateConstraint(time(6), time(10)), prices=cost(input="3", output="3")),
        ],
    )
    schedule = library(model).find("acme", ["x", "M"], "", Told.NOTHING)
    times = ("2026-02-28T23:59", "2026-03-01T00:00", "2026-03-01T06:00", "2026-03-01T09:59", "2026-03-01T10:00")
    found = [price_at(schedule, micros(each)) for each in times]
    assert found == [priced(dollars) for dollars in ("1", "2", "3", "3", "2")]


def test_a_public_price_of_a_service_tier_holds_from_its_day_on_for_that_tier() -> None:
    variant = PriceVariant({"service_tier": "flex"}, cost(input="0.5"), StartDateConstraint(date(2026, 3, 1)))
    model = ModelInfo("m", ClauseEquals("m"), prices=cost(input="1", output="1"), price_variants=[variant])
    schedules = [library(model).find("acme", ["m"], tier, Told.NOTHING) for tier in ("", "flex", "priority")]
    found = [price_at(schedule, micros("2026-03-01")) for schedule in schedules]
    assert found == [priced("1"), Price(Rates(input=Decimal("0.5"), output=Decimal(1))), priced("1")]
    assert price_at(schedules[1], micros("2026-02-28")) == priced("1")


def test_public_tiers_and_fees_are_taken_over() -> None:
    tiered = TieredPrices(Decimal(1), [Tier(200_000, Decimal(2))])
    prices = ModelPrice(
        input_mtok=tiered,
        output_mtok=Decimal(5),
        cache_write_1h_mtok=Decimal(9),
        requests_kcount=Decimal(12),
        web_searches_kcount=Decimal(10),
    )
    rates = Rates(input=Decimal(1), output=Decimal(5), cache_write_1h=Decimal(9))
    expected = Price(
        rates,
        (PriceTier(200_000, replace(rates, input=Decimal(2))),),
        request=Decimal("0.012"),
        search=Decimal("0.01"),
        told=Told.TICKS,
    )
    schedule = library(ModelInfo("m", ClauseEquals("m"), prices=prices)).find("acme", ["m"], "", Told.TICKS)
    assert price_at(schedule, NOW) == expected


@pytest.mark.parametrize(
    "prices",
    [
        ModelPrice(audio_hours=Decimal(1)),
        ModelPrice(input_mtok=Decimal(1), input_document_kpages=Decimal(1)),
        cost(input="-1"),
    ],
    ids=["hours", "pages", "routed"],
)
def test_a_public_price_that_cannot_be_counted_is_not_known(prices: ModelPrice) -> None:
    schedule = library(ModelInfo("m", ClauseEquals("m"), prices=prices)).find("acme", ["m"], "", Told.NOTHING)
    assert price_at(schedule, NOW) is None


def test_a_public_price_that_is_none_is_free_only_by_name() -> None:
    known = library(*(ModelInfo(name, ClauseEquals(name), prices=ModelPrice()) for name in ("m:free", "m")))
    found = [price_at(known.find("acme", [name], "", Told.NOTHING), NOW) for name in ("m:free", "m")]
    assert found == [FREE, None]


def test_the_public_prices_know_every_vendor_by_our_name_of_it() -> None:
    prices = Prices()
    known = {
        "anthropic": "claude-sonnet-4-5-20250929",
        "azure_openai": "gpt-4o",
        "bedrock": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "cohere": "command-r-plus",
        "deepseek": "deepseek-chat",
        "gemini": "models/gemini-2.5-pro",
        "grok": "grok-3",
        "groq": "llama-3.3-70b-versatile",
        "mistral": "mistral-large-latest",
        "openai": "gpt-4o-2024-08-06",
        "openrouter": "openai/gpt-4o",
        "perplexity": "sonar",
    }
    found = {type: prices.price(row(type), model, NOW) for type, model in known.items()}
    assert [type for type, price in found.items() if price is None or not price.rates.input or not price.rates.output] == []


def test_a_price_is_read_from_its_document() -> None:
    rates = Rates(input=Decimal("0.0000001"), output=Decimal(100), reasoning=Decimal(0))
    price = Price(rates, (PriceTier(5, rates),), Decimal("0.01"), Decimal("0.04"), Decimal("0.02"), Decimal(3))
    texts = {"input": "0.0000001", "output": "100", "reasoning": "0"}
    apart = {"request": "0.01", "image": "0.04", "search": "0.02", "hour": "3"}
    assert read_price({**texts, **apart, "tiers": [{"over": 5, **texts}]}) == price


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"input": 1.5}, "input"),
        ({"input": "-1"}, "input"),
        ({"input": "NaN"}, "input"),
        ({"input": "1e400"}, "input"),
        ({"output": "1e-400"}, "output"),
        ({"output": "dear"}, "output"),
        ({"inptu": "1"}, "inptu"),
        ({"tiers": {}}, "over"),
        ({"tiers": [{"over": 5}, {"over": 5}]}, "over"),
        ({"tiers": [{"over": 5, "hour": "1"}]}, "tiers"),
        ({"tiers": ["1"]}, "tiers"),
    ],
)
def test_what_cannot_be_a_price_is_refused_with_its_key(document: dict[str, object], key: str) -> None:
    with pytest.raises(ValueError, match=f"`{key}`"):
        read_price(document)
