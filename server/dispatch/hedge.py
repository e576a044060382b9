"""A second attempt beside one whose first chunk is late: whichever begins first goes on, the other one is closed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from server.dispatch.attempt import Attempt
from server.providers.errors import ProviderError


@dataclass(slots=True)
class Race:
    """How a race ended.

    Attributes:
        winner: the attempt that began; None: none did.
        failures: the attempts that failed, each with its error.
        lost: the attempt that was closed because the other one won.
    """

    winner: Attempt | None = None
    failures: list[tuple[Attempt, ProviderError]] = field(default_factory=list)
    lost: Attempt | None = None


async def race(first: Attempt, delay_s: float, another: Callable[[], Awaitable[Attempt | None]]) -> Race:
    """Begins an attempt, and another one when the first is still silent after a while.

    Args:
        first: the attempt to begin.
        delay_s: how long it may be silent.
        another: makes the second attempt; None: there is to be none.
    """
    attempts = [first]
    tasks = [asyncio.ensure_future(first.begin())]
    try:
        await asyncio.wait(tasks, timeout=delay_s)
        if not tasks[0].done() and (second := await another()) is not None:
            attempts.append(second)
            tasks.append(asyncio.ensure_future(second.begin()))
        while (winner := next((place for place, task in enumerate(tasks) if _began(task)), None)) is None:
            waiting = [task for task in tasks if not task.done()]
            if not waiting:
                break
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        ended = Race(None if winner is None else attempts[winner])
        for attempt, task in zip(attempts, tasks, strict=True):
            if attempt is ended.winner:
                continue
            await _close(attempt, task)
            error = None if task.cancelled() else task.exception()
            if isinstance(error, ProviderError):
                ended.failures.append((attempt, error))
            elif error is not None:
                raise error
            else:
                ended.lost = attempt
        return ended
    except BaseException:
        for attempt, task in zip(attempts, tasks, strict=True):
            with suppress(asyncio.CancelledError):  # it is on its way out already
                await _close(attempt, task)
        raise


def _began(task: "asyncio.Task[None]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def _close(attempt: Attempt, task: "asyncio.Task[None]") -> None:
    """Closes an attempt that may still be beginning. Whoever cancels this waits, too: a running stream cannot be closed."""
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    await attempt.close()
    if cancelled is not None:
        raise cancelled
