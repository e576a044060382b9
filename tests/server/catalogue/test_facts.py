"""What is known of models: the project's table, and which row of it a name finds."""

from decimal import Decimal
from pathlib import Path

import pytest

from server.catalogue.facts import NOTHING, FactsTable, ModelFacts, listed_facts
from server.providers.base import ListedModel
from server.providers.loader import provider_kinds

TABLE = FactsTable.read()
GPT_4O = ModelFacts(128_000, 16_384, Decimal("2.5"), Decimal(10), frozenset({"chat", "tools", "vision", "json_schema"}))
KNOWN = {"chat", "text", "embeddings", "images", "videos", "tools", "vision", "reasoning", "json_schema"}


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-2024-08-06"),
        ("openai", "openai/gpt-4o"),
        ("openrouter", "openai/gpt-4o"),
        ("blackbox", "blackboxai/openai/gpt-4o"),
        ("blackbox", "openai/gpt-4o-2024-11-20"),
    ],
)
def test_a_model_is_found_without_date_and_prefix(kind: str, model: str) -> None:
    assert TABLE.facts(kind, model) == GPT_4O


@pytest.mark.parametrize(
    ("kind", "model", "context_window"),
    [
        ("openai", "gpt-4", 8192),
        ("openai", "gpt-4-0613", 8192),
        ("anthropic", "claude-3-5-sonnet-20241022", 200_000),
        ("anthropic", "claude-opus-4-5@20251101", 200_000),
        ("openrouter", "x-ai/grok-4.3", 1_000_000),
        ("grok", "grok-4.5", 500_000),
        ("xai", "grok-4.5", 500_000),
        ("groq", "openai/gpt-oss-20b", 131_072),
        ("openrouter", "google/gemini-2.5-pro", 1_048_576),
    ],
)
def test_models_of_all_vendors_are_found(kind: str, model: str, context_window: int) -> None:
    assert TABLE.facts(kind, model).context_window == context_window


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4o-2"),
        ("openai", "my-own"),
        ("openai_compatible", "gpt-4o"),
        ("vllm", "openai/gpt-4o"),
        ("nobody", "x"),
        ("openrouter", "openai/"),
        ("openrouter", ""),
    ],
)
def test_of_other_models_nothing_is_known(kind: str, model: str) -> None:
    assert TABLE.facts(kind, model) == NOTHING


def test_facts_fill_in_what_is_not_told() -> None:
    told = listed_facts(ListedModel("gpt-4o", context_window=1000, input_price=Decimal(0)))
    assert told.or_else(GPT_4O) == ModelFacts(1000, 16_384, Decimal(0), Decimal(10), GPT_4O.capabilities)


@pytest.mark.parametrize("kind", [kind.type for kind in provider_kinds()])
def test_the_tables_numbers_make_sense(kind: str) -> None:
    for name in TABLE.names(kind):
        facts = TABLE.facts(kind, name)
        assert facts.capabilities <= KNOWN, name
        assert all(count is None or count > 0 for count in (facts.context_window, facts.max_output_tokens)), name
        assert all(price is None or 0 <= price < 1000 for price in (facts.input_price, facts.output_price)), name


def test_another_table_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    row = '{"context_window": 8, "max_output_tokens": null, "input_price": 0.075, "output_price": null, "capabilities": []}'
    file.write_text(f'{{"models": {{"openai": {{"m": {row}}}}}}}')
    assert FactsTable.read(file).facts("openai", "m") == ModelFacts(8, input_price=Decimal("0.075"))
