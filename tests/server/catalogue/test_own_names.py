"""Which names are one model."""

import pytest

from server.catalogue.own_names import OwnNames
from tests.server.catalogue.listing_provider import row

ROWS = (
    row("first", "gpt-4o", "gpt-4o-mini"),
    row("second", "gpt-4o", "claude-*"),
    row("groq", "groq/*", kind="groq"),
    row("ollama", kind="ollama"),
    row("or", "openrouter/auto", "meta/llama", kind="openrouter"),
)
MODELS = OwnNames(ROWS, {"fast": "gpt-4o-mini", "far": "ollama/llama3", "nobody": "nothing"})

ONE_MODEL = {
    "a plain name": ("gpt-4o", "first/gpt-4o", "second/gpt-4o"),
    "an alias": ("gpt-4o-mini", "fast", "first/gpt-4o-mini"),
    "a name of a pattern": ("claude-5", "second/claude-5"),
    "a name under a vendor's": ("groq/llama-3.3-70b",),
    "a model of a row without names": ("ollama/llama3", "far"),
    "a name that begins with the vendor's": ("openrouter/auto", "or/auto"),
    "a name with another's before it": ("meta/llama", "or/meta/llama"),
    "a name that nobody knows": ("nothing", "nobody"),
}


@pytest.mark.parametrize("case", ONE_MODEL)
def test_all_names_of_a_model_are_that_model(case: str) -> None:
    own, *others = names = ONE_MODEL[case]
    assert {MODELS.of(name) for name in names} == {own}
    for name in names:
        assert MODELS.all(name)[0] == own
        assert {*others} <= {*MODELS.all(name)}
        assert {MODELS.of(other) for other in MODELS.all(name)} == {own}


def test_another_model_is_another_one() -> None:
    assert len({MODELS.of(names[0]) for names in ONE_MODEL.values()}) == len(ONE_MODEL)
    assert MODELS.of("third/gpt-4o") == "third/gpt-4o"
    assert MODELS.of("ollama/gpt-4o") == "ollama/gpt-4o"


ELSEWHERE = {
    "a row of the same vendor that does not name it": (
        (row("a", "gpt-4o"), row("b", "gpt-4o-mini"), row("c")),
        {},
        ("gpt-4o", "a/gpt-4o", "b/gpt-4o", "c/gpt-4o"),
    ),
    "a row that serves all": ((row("all", "*"),), {}, ("gpt-4o", "all/gpt-4o", "openai/gpt-4o")),
    "a row that names it under a vendor": (
        (row("groq", "groq/*", "llama", kind="groq"), row("agg", "groq/llama")),
        {},
        ("llama", "groq/llama", "agg/groq/llama"),
    ),
    "a model that an alias hides": ((row("openai", "gpt-*"),), {"gpt-4": "gpt-4o"}, ("gpt-4o", "gpt-4", "openai/gpt-4o")),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_whoever_is_asked_for_a_model_it_is_one(case: str) -> None:
    rows, aliases, (own, *others) = ELSEWHERE[case]
    models = OwnNames(rows, aliases)
    assert {models.of(name) for name in others} == {own}
    assert models.of(own) == own


def test_a_model_that_an_alias_hides_is_not_what_the_alias_means() -> None:
    models = OwnNames([row("openai", "gpt-*")], {"gpt-4": "gpt-4o"})
    assert models.of("openai/gpt-4") == "openai/gpt-4"
    assert "gpt-4" not in models.all("openai/gpt-4")


@pytest.mark.parametrize("case", ELSEWHERE)
def test_the_own_name_of_an_own_name_is_itself(case: str) -> None:
    rows, aliases, _ = ELSEWHERE[case]
    models = OwnNames((*rows, *ROWS), aliases)
    plain = ("gpt-4o", "gpt-4", "llama", "groq/llama", "meta/llama", "auto", "openrouter/auto", "claude-5")
    names = [
        *plain,
        *(f"{prefix}/{name}" for prefix in ("a", "b", "c", "all", "first", "groq", "or", "agg") for name in plain),
    ]
    assert [models.of(models.of(name)) for name in names] == [models.of(name) for name in names]


def test_without_a_configuration_a_name_is_a_model() -> None:
    assert OwnNames().of("first/gpt-4o") == "first/gpt-4o"
    assert OwnNames().all("gpt-4o") == ("gpt-4o",)
