"""The name that a caller asks for, the one that the provider is asked for, and the way back."""

import pytest

from server.catalogue.names import asked_name, has_patterns, provider_name, served_names
from tests.server.catalogue.listing_provider import row

OPENROUTER = row("openrouter", "openrouter/*", kind="openrouter")
GROQ = row("groq", "groq/*", kind="groq")
BLACKBOX = row("blackbox", "blackboxai/*", kind="blackbox")
NAMED = row("local", "local/*", kind="vllm")
OPENAI = row("first", "gpt-*", "solo")
BARE = row("ollama", kind="ollama")
ALL = row("all", "*", kind="openai_compatible")
LITERAL = row("or", "openrouter/anthropic/claude", "openrouter/auto", "x-ai/grok", kind="openrouter")


@pytest.mark.parametrize(
    ("settings", "asked", "sent"),
    [
        (OPENROUTER, "openrouter/anthropic/claude", "anthropic/claude"),
        (OPENROUTER, "openrouter/auto", "openrouter/auto"),
        (OPENROUTER, "openrouter/openrouter/auto", "openrouter/auto"),
        (OPENROUTER, "openrouter/meta/llama:free", "meta/llama:free"),
        (GROQ, "groq/llama-3.3-70b", "llama-3.3-70b"),
        (GROQ, "groq/openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        (GROQ, "groq/compound", "groq/compound"),
        (GROQ, "groq/compound-mini", "groq/compound-mini"),
        (BLACKBOX, "blackboxai/openai/gpt-4o", "blackboxai/openai/gpt-4o"),
        (BLACKBOX, "blackbox/blackboxai/openai/gpt-4o", "blackboxai/openai/gpt-4o"),
        (NAMED, "local/llama", "llama"),
        (OPENAI, "gpt-4o", "gpt-4o"),
        (OPENAI, "first/anything/at:all", "anything/at:all"),
        (BARE, "ollama/llama3:8b", "llama3:8b"),
        (ALL, "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        (LITERAL, "openrouter/anthropic/claude", "anthropic/claude"),
        (LITERAL, "openrouter/auto", "openrouter/auto"),
        (LITERAL, "or/auto", "openrouter/auto"),
        (LITERAL, "x-ai/grok", "x-ai/grok"),
    ],
)
def test_a_prefix_that_is_an_address_is_taken_off(settings: object, asked: str, sent: str) -> None:
    assert provider_name(settings, asked) == sent  # type: ignore[arg-type]


def test_what_the_provider_lists_decides() -> None:
    assert provider_name(GROQ, "groq/new", {"groq/new"}) == "groq/new"
    assert provider_name(NAMED, "local/llama", {"local/llama"}) == "local/llama"
    assert provider_name(ALL, "all/llama", {"llama"}) == "llama"


@pytest.mark.parametrize(
    ("settings", "model", "asked"),
    [
        (OPENROUTER, "anthropic/claude", "openrouter/anthropic/claude"),
        (OPENROUTER, "openrouter/auto", "openrouter/auto"),
        (GROQ, "llama-3.3-70b", "groq/llama-3.3-70b"),
        (GROQ, "groq/compound", "groq/compound"),
        (BLACKBOX, "blackboxai/openai/gpt-4o", "blackboxai/openai/gpt-4o"),
        (OPENAI, "gpt-4o", "gpt-4o"),
        (OPENAI, "whisper-1", "first/whisper-1"),
        (BARE, "llama3:8b", "ollama/llama3:8b"),
        (ALL, "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
    ],
)
def test_the_asked_for_name_leads_back(settings: object, model: str, asked: str) -> None:
    assert asked_name(settings, model, {model}) == asked  # type: ignore[arg-type]
    assert provider_name(settings, asked, {model}) == model  # type: ignore[arg-type]


def test_a_row_serves_what_it_names_and_what_its_patterns_match() -> None:
    assert served_names(OPENAI, ["gpt-4o", "whisper-1"]) == {"solo": "solo", "gpt-4o": "gpt-4o"}
    assert served_names(OPENROUTER, ["a/b"]) == {"openrouter/a/b": "a/b"}


def test_a_row_that_names_nothing_serves_the_whole_list() -> None:
    assert served_names(BARE, ["llama3", "qwen"]) == {"ollama/llama3": "llama3", "ollama/qwen": "qwen"}


def test_a_model_that_is_named_and_listed_comes_once() -> None:
    assert list(served_names(row("first", "gpt-4o", "gpt-*"), ["gpt-4o"])) == ["gpt-4o"]


def test_rows_with_names_alone_need_no_list() -> None:
    assert [has_patterns(each) for each in (OPENAI, BARE, row("a", "m"))] == [True, True, False]
