"""Ends waits that last too long, for all waits of an attempt with one timer."""

import asyncio
from types import TracebackType

from server.providers.errors import Fault, ProviderError


class Watchdog:
    """Bounds each wait for a provider, and all of them together. A wait is `with watchdog(longest_s, what): await ...`.

    Only the time in which somebody waits counts: while a slow caller reads, the provider is not blamed. The timer is armed
    once and looks again when it fires, so that a wait costs a few attribute writes.

    Args:
        total_s: how long the whole attempt may take.
    """

    __slots__ = ("_cancelling", "_deadline", "_expired", "_loop", "_silence", "_task", "_timer", "_until")

    def __init__(self, total_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + total_s
        self._until: float | None = None
        self._silence = False
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, longest_s: float | None) -> "Watchdog":
        """Bounds the wait that follows; None: by the whole alone."""
        until = self._deadline
        self._silence = False
        if longest_s is not None:
            silent = self._loop.time() + longest_s
            if silent < until:
                until = silent
                self._silence = True
        self._until = until
        return self

    def __enter__(self) -> None:
        task = self._task = asyncio.current_task(self._loop)
        assert task is not None
        self._cancelling = task.cancelling()
        timer = self._timer
        if timer is None or timer.when() > self._until:  # type: ignore[operator]
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(self._until, self._tick)  # type: ignore[arg-type]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._until = None
        if not self._expired:
            return
        self._expired = False
        task = self._task
        assert task is not None
        if task.uncancel() > self._cancelling:
            return  # somebody else wants the task to end, too
        if kind is None or issubclass(kind, asyncio.CancelledError | ProviderError):
            text = "The provider was silent for too long." if self._silence else "The provider did not answer in time."
            raise ProviderError(Fault.TIMEOUT, text) from None

    def close(self) -> None:
        """Ends the watch."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        until = self._until
        if until is None:
            return  # nobody waits; the next wait arms it again
        if self._loop.time() < until:
            self._timer = self._loop.call_at(until, self._tick)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()
