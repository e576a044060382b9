"""The models of several providers: what can be asked for by name, and what each provider has."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from server.catalogue.catalogue import Catalogue, Entry, Source
from server.catalogue.facts import FactsTable
from server.config.provider_settings import ProviderSettings
from server.providers.base import ListedModel, Operation
from server.providers.errors import Fault, ProviderError
from tests.server.catalogue.listing_provider import Listing, TurnedClock, row

TABLE = FactsTable.read()
CHAT = frozenset({Operation.CHAT, Operation.EMBEDDINGS})
DOWN = ProviderError(Fault.CONNECTION, "No.")


def catalogue(*sources: tuple[ProviderSettings, Listing | None]) -> Catalogue:
    given = [Source(settings, CHAT, provider) for settings, provider in sources]
    return Catalogue(given, TABLE, TurnedClock())


def names(entries: Sequence[Entry]) -> list[str]:
    return [f"{entry.provider}:{entry.name}:{entry.model}" for entry in entries]


async def test_all_models_are_named_and_listed_ones_under_names_that_lead_to_them() -> None:
    models = catalogue(
        (row("first", "gpt-*", "solo"), Listing(["gpt-4o", "whisper-1"])),
        (row("openrouter", "openrouter/*", kind="openrouter"), Listing(["openrouter/auto", "anthropic/claude-opus-5"])),
        (row("ollama", kind="ollama"), Listing(["llama3"])),
    )
    assert names(await models.models()) == [
        "first:solo:solo",
        "first:gpt-4o:gpt-4o",
        "openrouter:openrouter/anthropic/claude-opus-5:anthropic/claude-opus-5",
        "openrouter:openrouter/auto:openrouter/auto",
        "ollama:ollama/llama3:llama3",
    ]


async def test_a_provider_whose_row_names_all_is_not_asked() -> None:
    provider = Listing(["other"])
    assert names(await catalogue((row("first", "gpt-4o"), provider)).models()) == ["first:gpt-4o:gpt-4o"]
    assert provider.asked == 0


async def test_a_provider_that_is_turned_off_serves_nothing() -> None:
    assert await catalogue((row("off", "gpt-4o", enabled=False), None)).models() == []


async def test_a_provider_that_fails_does_not_take_the_others_with_it() -> None:
    models = catalogue((row("down", "m-*", "named"), Listing(DOWN)), (row("up", "n-*"), Listing(["n-1"])))
    assert names(await models.models()) == ["down:named:named", "up:n-1:n-1"]


async def test_providers_are_asked_all_at_once() -> None:
    providers = [Listing(["m-1"]), Listing(["m-2"])]
    for provider in providers:
        provider.may_answer.clear()
    models = catalogue(*((row(f"p{place}", "m-*"), provider) for place, provider in enumerate(providers)))
    listing = asyncio.ensure_future(models.models())
    for provider in providers:
        await provider.asking.wait()
    for provider in providers:
        provider.may_answer.set()
    assert names(await listing) == ["p0:m-1:m-1", "p1:m-2:m-2"]


async def test_one_provider_has_what_it_lists_and_what_its_row_names() -> None:
    models = catalogue((row("first", "gpt-*", "fine-tuned"), Listing(["whisper-1", "gpt-4o"])))
    entries, listing = await models.provider_models("first")
    assert names(entries) == ["first:fine-tuned:fine-tuned", "first:gpt-4o:gpt-4o", "first:first/whisper-1:whisper-1"]
    assert not listing.cached


@pytest.mark.parametrize("listed", [["openai/agent"], ProviderError(Fault.UNSUPPORTED, "None.")], ids=["others", "none"])
async def test_where_a_list_has_none_of_them_the_table_tells_what_patterns_stand_for(listed: list[str]) -> None:
    models = catalogue((row("perplexity", "sonar*", kind="perplexity"), Listing(listed)))
    assert "perplexity:sonar-pro:sonar-pro" in names(await models.models())


async def test_of_azure_the_deployments_can_be_asked_for_and_not_what_could_be_deployed() -> None:
    settings = row("azure", "gpt-*", kind="azure_openai", base_url="https://a.example", deployments={"gpt-4o": "prod"})
    assert names(await catalogue((settings, Listing(["gpt-5"]))).models()) == ["azure:gpt-4o:gpt-4o"]


async def test_facts_come_from_row_list_and_table_in_this_order() -> None:
    listed = ListedModel("gpt-4o", 1234, "maker", context_window=1000, input_price=Decimal(7))
    settings = row("first", "gpt-4o", cost_per_1k_input_tokens=0.5)
    models = catalogue((settings, Listing([listed])))
    await models.provider_models("first")
    (entry,) = await models.models()
    assert (entry.facts.input_price, entry.facts.output_price) == (Decimal(500), Decimal(10))
    assert (entry.facts.context_window, entry.facts.max_output_tokens) == (1000, 16_384)
    assert (entry.created, entry.owned_by) == (1234, "maker")


@pytest.mark.parametrize(
    ("model", "capabilities"),
    [
        ("my-own", {"chat"}),
        ("nomic-embed-text", {"embeddings"}),
        ("Qwen/Qwen3-Embedding-8B", {"embeddings"}),
        ("my-image", set()),
        ("whisper-1", set()),
    ],
)
async def test_what_nobody_tells_is_guessed_from_the_name(model: str, capabilities: set[str]) -> None:
    (entry,) = await catalogue((row("first", model), None)).models()
    assert entry.facts.capabilities == capabilities


@pytest.mark.parametrize("name", ["anthropic/claude", "openrouter/anthropic/claude"])
async def test_a_model_is_found_by_either_name(name: str) -> None:
    models = catalogue((row("openrouter", "openrouter/*", kind="openrouter"), Listing(["anthropic/claude"])))
    found = await models.find("openrouter", name)
    assert found is not None
    assert (found.model, found.name) == ("anthropic/claude", "openrouter/anthropic/claude")


async def test_a_model_that_is_neither_listed_nor_named_is_not_found() -> None:
    models = catalogue((row("first", "gpt-*"), Listing(["gpt-4o"])))
    assert await models.find("first", "gpt-9") is None
    assert await models.find("first", "other") is None


async def test_a_model_of_a_provider_that_is_down_is_found_by_its_pattern() -> None:
    models = catalogue((row("first", "gpt-*"), Listing(DOWN)))
    found = await models.find("first", "gpt-4o")
    assert found is not None
    assert found.facts.context_window == 128_000
    assert await models.find("first", "other") is None


async def test_a_new_list_takes_the_place_of_what_was_made_of_the_old_one() -> None:
    provider = Listing(["gpt-1"])
    models = catalogue((row("first", "gpt-*"), provider))
    assert names(await models.models()) == names(await models.models()) == ["first:gpt-1:gpt-1"]
    assert models.facts("first", "gpt-4o").context_window == 128_000
    provider.listed = [ListedModel("gpt-4o", context_window=7)]
    await models.refresh("first")
    assert names(await models.models()) == ["first:gpt-4o:gpt-4o"]
    assert models.facts("first", "gpt-4o").context_window == 7


async def test_describing_asks_nobody() -> None:
    provider = Listing(["gpt-4o"])
    models = catalogue((row("first", "gpt-*"), provider))
    assert models.describe("first", "gpt-4o").name == "gpt-4o"
    assert (models.listed("first"), provider.asked) == ({}, 0)
    await models.refresh("first")
    assert list(models.listed("first")) == ["gpt-4o"]
