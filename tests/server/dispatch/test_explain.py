"""Where a request would go, and what is said of everybody else."""

from server.caller import ANONYMOUS
from server.dispatch.explain import Step, explain
from server.dispatch.means import Means
from server.dispatch.router import Row
from server.providers.base import Operation
from server.providers.errors import Fault, ProviderError
from tests.server.dispatch.scripted_provider import Scripted, means, row, rows


def steps(given: Means, *others: Row, keyless: frozenset[str] = frozenset()) -> list[tuple[int, str, str, str]]:
    """Each step as place, provider, purpose and reason."""
    configured = {name: one.settings for name, one in given.router.rows.items()}
    configured |= {one.settings.name: one.settings for one in others}
    told = explain(given, configured, keyless, given.router.route("m", ANONYMOUS), Operation.CHAT)
    return [brief(step) for step in told]


def brief(step: Step) -> tuple[int, str, str, str]:
    return step.place, step.settings.name, step.why, step.reason


def fail(
    given: Means, provider: int, fault: Fault = Fault.SERVER, times: int = 5, retry_after_s: float | None = None
) -> None:
    state = given.router.route("m", ANONYMOUS).targets[provider].state
    for _ in range(times):
        state.failed(state.begin(), ProviderError(fault, "No.", retry_after_s=retry_after_s), given.clock.monotonic())


def test_targets_come_in_the_order_in_which_they_are_tried() -> None:
    given = means([*rows(Scripted(), Scripted()), Row(row("big", "large"), Scripted())], {"fallbacks": {"m": ["large"]}})
    assert steps(given) == [(1, "a", "model", ""), (2, "b", "model", ""), (3, "big", "fallback", "")]


def test_a_target_with_an_open_breaker_is_not_tried() -> None:
    given = means(rows(Scripted(), Scripted()))
    fail(given, 0)
    assert steps(given) == [(1, "b", "model", ""), (0, "a", "model", "its circuit breaker is open")]


def test_the_last_one_left_is_tried_in_spite_of_its_breaker() -> None:
    given = means(rows(Scripted()))
    fail(given, 0)
    assert steps(given) == [(1, "a", "model", "its circuit breaker is open, but nobody else is left")]


def test_who_rests_comes_later_and_it_is_told_why() -> None:
    given = means(rows(Scripted(), Scripted()))
    fail(given, 0, Fault.RATE_LIMITED, 1, retry_after_s=30)
    assert steps(given) == [(1, "b", "model", ""), (2, "a", "model", "it said when to come back")]


def test_who_rests_comes_after_fallbacks_too() -> None:
    given = means([*rows(Scripted()), Row(row("big", "large"), Scripted())], {"fallbacks": {"m": ["large"]}})
    fail(given, 0, Fault.RATE_LIMITED, 1, retry_after_s=30)
    assert steps(given) == [(1, "big", "fallback", ""), (2, "a", "model", "it said when to come back")]


def test_everybody_else_is_told_too() -> None:
    able = Row(row("able", "m"), Scripted())
    unable = Row(row("unable", "m"), Scripted(operations=frozenset({Operation.EMBEDDINGS})))
    elsewhere = Row(row("elsewhere", "other"), Scripted())
    off = Row(row("off", "m", enabled=False), Scripted())
    larger = Row(row("larger", "large"), Scripted())
    given = means([able, unable, elsewhere, larger], {"context_window_fallbacks": {"m": ["large"]}})
    assert steps(given, off, keyless=frozenset({"able"})) == [
        (1, "able", "model", "it has no key"),
        (0, "unable", "model", "it has no chat completions"),
        (0, "larger", "context_window_fallback", "only when the prompt is too long for the others"),
        (0, "elsewhere", "", "it does not serve the model"),
        (0, "off", "", "it is disabled"),
    ]
