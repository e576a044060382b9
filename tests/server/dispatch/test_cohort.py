"""Work that is done together."""

import asyncio
from collections.abc import Sequence

import pytest

from server.dispatch.cohort import Cohort


class Work:
    """What was done: the names of each time; and the names of those who had left."""

    def __init__(self) -> None:
        self.done: list[list[str]] = []
        self.left: list[tuple[str, str]] = []

    def do(self, names: Sequence[str]) -> list[Exception | None]:
        self.done.append(list(names))
        return [ValueError(name) if name == "bad" else None for name in names]

    def leave(self, name: str, fault: Exception | None) -> None:
        self.left.append((name, str(fault or "")))


@pytest.fixture
def work() -> Work:
    return Work()


async def test_who_comes_alone_has_it_done(work: Work) -> None:
    await Cohort(work.do).join("a")
    assert work.done == [["a"]]


async def test_what_is_wanted_in_one_turn_is_done_together(work: Work) -> None:
    cohort = Cohort(work.do)
    await asyncio.gather(*(cohort.join(name) for name in "abc"))
    await cohort.join("d")
    assert work.done == [["a", "b", "c"], ["d"]]


async def test_who_comes_a_turn_later_is_in_time_where_several_wait(work: Work) -> None:
    cohort = Cohort(work.do)

    async def later() -> None:  # in a task, which begins in the next turn
        await cohort.join("late")

    await asyncio.gather(later(), *(cohort.join(name) for name in "ab"))
    assert work.done == [["a", "b", "late"]]


async def test_nobody_waits_for_ever_for_those_who_keep_coming(work: Work) -> None:
    cohort, coming = Cohort(work.do), set[asyncio.Future[None]]()
    first = cohort.join("first")
    for _ in range(20):
        coming.add(cohort.join("more"))
        await asyncio.sleep(0)
    assert first.done()
    await asyncio.gather(*coming)


async def test_what_is_waited_for_can_be_done_now(work: Work) -> None:
    cohort = Cohort(work.do)
    waiting = [cohort.join(name) for name in "ab"]
    cohort.finish()
    assert [each.done() for each in waiting] == [True, True]
    await cohort.join("c")
    assert work.done == [["a", "b"], ["c"]]


async def test_a_failure_is_its_own_callers_alone(work: Work) -> None:
    cohort = Cohort(work.do)
    first, second, third = await asyncio.gather(*(cohort.join(name) for name in ("a", "bad", "b")), return_exceptions=True)
    assert isinstance(second, ValueError)
    assert (first, third) == (None, None)


async def test_work_that_fails_whole_fails_for_all() -> None:
    def fail(names: Sequence[str]) -> list[Exception | None]:
        raise OSError(len(names))

    cohort = Cohort(fail)
    outcomes = await asyncio.gather(*(cohort.join(name) for name in "ab"), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["2", "2"]


async def leave(cohort: Cohort[str], *names: str) -> None:
    """Some come and leave again, one comes and stays."""
    leaving = [cohort.join(name) for name in names]
    staying = cohort.join("stays")
    await asyncio.sleep(0)
    for each in leaving:
        each.cancel()
    await staying
    assert all(each.cancelled() for each in leaving)


async def test_what_is_wanted_by_who_left_is_not_done(work: Work) -> None:
    await leave(Cohort(work.do), "left", "bad")
    assert work.done == [["stays"]]


async def test_where_it_has_to_be_it_is_done_and_told(work: Work) -> None:
    await leave(Cohort(work.do, work.leave), "left", "bad")
    assert work.done == [["left", "bad", "stays"]]
    assert work.left == [("left", ""), ("bad", "bad")]
