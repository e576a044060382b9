"""In which order targets come, and what no strategy changes."""

import random
from collections import Counter
from collections.abc import Mapping

from server.dispatch.breaker import Try
from server.dispatch.router import Target
from server.dispatch.strategies import Strategy
from server.providers.base import Operation
from server.providers.errors import Fault, ProviderError
from tests.server.dispatch.scripted_provider import target


def order(name: str, *targets: Target, prices: Mapping[str, int] | None = None) -> str:
    """The names in their order."""

    def price(one: Target, operation: Operation) -> int | None:
        return (prices or {}).get(one.settings.name)

    return "".join(one.settings.name for one in Strategy(name, price, random.Random(1)).order(targets, Operation.CHAT, 0))


def test_priority_keeps_the_order_that_is_given() -> None:
    assert order("priority", target("b"), target("a"), target("c")) == "bac"


def test_weights_are_the_shares_of_first_places() -> None:
    targets = [target("a", weight=6), target("b", weight=3), target("c", weight=1)]
    strategy = Strategy("weighted", lambda *_: None, random.Random(1))
    firsts = Counter(strategy.order(targets, Operation.CHAT, 0)[0].settings.name for _ in range(10_000))
    assert {name: round(count / 10_000, 1) for name, count in firsts.items()} == {"a": 0.6, "b": 0.3, "c": 0.1}


def test_who_comes_second_is_weighted_among_the_others() -> None:
    targets = [target("a", weight=1000), target("b", weight=3), target("c", weight=1)]
    strategy = Strategy("weighted", lambda *_: None, random.Random(1))
    seconds = Counter(strategy.order(targets, Operation.CHAT, 0)[1].settings.name for _ in range(10_000))
    assert round(seconds["b"] / (seconds["b"] + seconds["c"]), 1) in (0.7, 0.8)


def test_no_weight_is_the_last_place() -> None:
    strategy = Strategy("weighted", lambda *_: None, random.Random(1))
    targets = [target("a", weight=0), target("b", weight=0.1)]
    assert {strategy.order(targets, Operation.CHAT, 0)[0].settings.name for _ in range(1000)} == {"b"}


def test_the_quickest_comes_first_and_who_was_never_asked_before_it() -> None:
    slow, quick, new = target("a"), target("b"), target("c")
    for seconds in (1.0, 1.1, 1.2):
        slow.state.first_chunk(Try(False), seconds)
        quick.state.first_chunk(Try(False), seconds / 2)
    assert order("least_latency", slow, quick, new) == "cba"


def test_a_target_is_as_quick_as_nearly_all_of_its_answers() -> None:
    steady, mostly = target("a"), target("b")
    for number in range(100):
        steady.state.first_chunk(Try(False), 0.5)
        mostly.state.first_chunk(Try(False), 0.1 if number < 90 else 9)
    assert order("least_latency", mostly, steady) == "ab"


def test_the_least_busy_comes_first_by_its_weight() -> None:
    busy, strong = target("a", weight=1), target("b", weight=10)
    for _ in range(2):
        busy.state.begin()
    for _ in range(9):
        strong.state.begin()
    assert order("least_busy", busy, strong, target("c", weight=1)) == "cba"


def test_the_cheapest_comes_first_and_who_has_no_price_last() -> None:
    prices = {"a": 2500, "b": 150, "c": 0}
    assert order("cheapest", target("d"), target("a"), target("b"), target("c"), prices=prices) == "cbad"


def test_who_is_forced_comes_first_whatever_the_strategy() -> None:
    prices = {"a": 1, "b": 9}
    for name in ("priority", "weighted", "least_latency", "least_busy", "cheapest"):
        forced = target("b", forced=True)
        forced.state.begin()
        forced.state.first_chunk(Try(False), 5)
        assert order(name, target("a"), forced, prices=prices) == "ba"


def test_who_should_not_be_asked_comes_last_even_when_forced() -> None:
    forced = target("a", forced=True)
    forced.state.failed(forced.state.begin(), ProviderError(Fault.RATE_LIMITED, "No.", retry_after_s=30), 0)
    assert order("priority", forced, target("b")) == "ba"
