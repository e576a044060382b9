"""Which targets a model has, and in which order they are tried."""

from dataclasses import replace

import pytest

from server.caller import ANONYMOUS, Caller
from server.config.provider_settings import ProviderSettings
from server.config.schema import RoutingSettings
from server.dispatch.router import Route, Router, Row
from server.errors import GatewayError
from tests.server.dispatch.scripted_provider import Scripted, row
from trunkline.v1.error_reason_pb2 import ErrorReason


def targets(model: str, *rows: ProviderSettings, **aliases: str) -> list[str]:
    """The targets of a model, as `provider:model`."""
    router = Router([Row(one, Scripted()) for one in rows], RoutingSettings(aliases=aliases))
    return [f"{target.settings.name}:{target.model}" for target in router.targets(model, ANONYMOUS)]


def test_the_files_order_counts_among_equals() -> None:
    assert targets("m", row("b", "m"), row("a", "m"), row("c", "other")) == ["b:m", "a:m"]


def test_a_lower_priority_comes_first() -> None:
    assert targets("m", row("a", "m"), row("b", "m", priority=-1), row("c", "m", priority=5)) == ["b:m", "c:m", "a:m"]


def test_whoever_is_forced_comes_before_every_priority() -> None:
    assert targets("m", row("a", "m", priority=-9), row("b", "m", forced=True)) == ["b:m", "a:m"]


@pytest.mark.parametrize(
    ("pattern", "serves"),
    [
        ("*", True),
        ("gpt-*", True),
        ("*-mini", True),
        ("gpt*mini", True),
        ("gpt-4o-mini", True),
        ("gpt-4o", False),
        ("GPT-*", False),
        ("o*", False),
        ("gpt-4o-mini*", True),
        ("*x*", False),
    ],
)
def test_a_pattern_serves_what_it_matches(pattern: str, serves: bool) -> None:
    rows = row("a", pattern), row("last", "gpt-4o-mini", priority=1000)
    assert (targets("gpt-4o-mini", *rows)[0] == "a:gpt-4o-mini") == serves


def test_a_pattern_and_a_name_are_equals() -> None:
    assert targets("m", row("a", "*"), row("b", "m")) == ["a:m", "b:m"]


def test_a_row_comes_once_whatever_it_lists() -> None:
    assert targets("m", row("a", "m", "*", "m*")) == ["a:m"]


def test_an_alias_is_another_name() -> None:
    assert targets("fast", row("a", "m"), fast="m") == ["a:m"]


def test_an_alias_may_hide_a_model() -> None:
    assert targets("m", row("a", "m"), row("b", "n"), m="n") == ["b:n"]


def test_an_alias_may_address_a_provider() -> None:
    assert targets("fast", row("a", "m"), row("b", "m"), fast="b/m") == ["b:m"]


def test_a_model_can_be_asked_of_one_provider() -> None:
    assert targets("b/m", row("a", "m"), row("b", "m")) == ["b:m"]


def test_an_addressed_provider_need_not_list_the_model() -> None:
    assert targets("b/anything/at:all", row("a", "m"), row("b", "m")) == ["b:anything/at:all"]


def test_a_model_with_a_slash_is_its_own_name_where_somebody_lists_it() -> None:
    assert targets("b/m", row("a", "b/m"), row("b", "m")) == ["a:b/m"]


@pytest.mark.parametrize("model", ["unknown", "nobody/m", "b/", "/m", ""])
def test_a_model_that_nobody_serves_is_not_found(model: str) -> None:
    with pytest.raises(GatewayError) as raised:
        targets(model, row("a", "m"), row("b", "m"))
    assert raised.value.reason == ErrorReason.ERROR_REASON_MODEL_NOT_FOUND
    assert raised.value.metadata == {"model": model, "param": "model"}


def test_nobody_serves_anything_where_there_are_no_providers() -> None:
    with pytest.raises(GatewayError):
        targets("m")


# Who asks


def routed(model: str, caller: Caller) -> Route:
    """A caller's route where `a` and `b` serve `m`, and `x` and `y` its fallbacks, and nobody serves `best` itself."""
    rows = row("a", "m"), row("b", "m"), row("x", "x"), row("y", "y")
    lists = {"m": ("x", "short"), "best": ("x", "y")}
    settings = RoutingSettings(aliases={"fast": "m", "short": "y"}, fallbacks=lists, context_window_fallbacks=lists)
    return Router([Row(one, Scripted()) for one in rows], settings).route(model, caller)


@pytest.mark.parametrize(
    ("providers", "own", "others"),
    [
        ((), ["a", "b"], [["x"], ["y"]]),
        (("b", "y"), ["b"], [["y"]]),
        (("a",), ["a"], []),
        (("x",), [], [["x"]]),
    ],
)
def test_a_route_keeps_whom_a_caller_may_use(providers: tuple[str, ...], own: list[str], others: list[list[str]]) -> None:
    route = routed("m", replace(ANONYMOUS, providers=providers))
    assert [target.settings.name for target in route.targets] == own
    for groups in (route.fallbacks, route.larger):
        assert [[target.settings.name for target in group] for group in groups] == others


@pytest.mark.parametrize(
    ("model", "models", "others"),
    [
        ("m", ("m",), []),
        ("m", ("m", "x"), [["x"]]),
        ("m", ("m", "y"), [["y"]]),
        ("m", ("m", "short"), [["y"]]),
        ("m", ("*",), [["x"], ["y"]]),
        ("m", ("m", "y/*"), []),
        ("fast", ("fast",), []),
        ("best", ("best", "y"), [["y"]]),
    ],
)
def test_a_route_has_no_fallbacks_that_a_caller_may_not_ask_for(
    model: str, models: tuple[str, ...], others: list[list[str]]
) -> None:
    route = routed(model, replace(ANONYMOUS, models=models))
    assert [target.settings.name for target in route.targets] == ([] if model == "best" else ["a", "b"])
    for groups in (route.fallbacks, route.larger):
        assert [[target.settings.name for target in group] for group in groups] == others


def test_of_a_route_both_bounds_of_a_caller_hold() -> None:
    route = routed("m", replace(ANONYMOUS, models=("m", "x"), providers=("a", "y")))
    assert [target.settings.name for target in route.targets] == ["a"]
    assert (route.fallbacks, route.larger) == ((), ())


def test_fallbacks_that_lead_back_are_found_for_a_bound_caller() -> None:
    settings = RoutingSettings(fallbacks={"m": ("x",), "x": ("m",)})
    router = Router([Row(row("a", "m"), Scripted()), Row(row("b", "x"), Scripted())], settings)
    caller = replace(ANONYMOUS, models=("m", "x"))
    assert [target.settings.name for model in "mx" for target in router.route(model, caller).fallbacks[0]] == ["b", "a"]


def test_a_model_with_nothing_but_fallbacks_is_refused_to_who_may_ask_for_none_of_them() -> None:
    with pytest.raises(GatewayError, match="none of the fallbacks of the model `best`") as raised:
        routed("best", replace(ANONYMOUS, models=("best",)))
    assert raised.value.reason == ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS
    assert raised.value.metadata == {"permission": "completion", "model": "best"}


@pytest.mark.parametrize("pattern", ["fast", "m"])
def test_a_model_is_allowed_by_its_alias_too(pattern: str) -> None:
    assert routed("fast", replace(ANONYMOUS, models=(pattern,))).model == "m"


@pytest.mark.parametrize(
    "caller", [replace(ANONYMOUS, models=("x", "fast")), replace(ANONYMOUS, providers=("c",))], ids=["model", "provider"]
)
def test_a_route_of_which_a_caller_may_use_nothing_is_refused(caller: Caller) -> None:
    with pytest.raises(GatewayError) as raised:
        routed("m", caller)
    assert raised.value.reason == ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS
    assert raised.value.metadata == {"permission": "completion", "model": "m"}
