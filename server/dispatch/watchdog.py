"""Ends waits that last too long, without a timer for each.

One look a second goes over all attempts; only those whose time is nearly over get a timer of their own.
"""

import asyncio
import math
from types import TracebackType

from server.providers.errors import Fault, ProviderError

_LOOK_S = 1.0
_NEAR_S = 2 * _LOOK_S


class Watch:
    """Looks after the watchdogs of a loop, as long as there are any."""

    __slots__ = ("_dogs", "_timer")

    def __init__(self) -> None:
        self._dogs: set[Watchdog] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, dog: "Watchdog", loop: asyncio.AbstractEventLoop) -> None:
        """Looks after one, until `discard`."""
        self._dogs.add(dog)
        if self._timer is None:
            self._timer = loop.call_later(_LOOK_S, self._look, loop)

    def discard(self, dog: "Watchdog") -> None:
        """Looks after it no longer."""
        self._dogs.discard(dog)

    def close(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(_LOOK_S, self._look, loop) if self._dogs else None
        near = loop.time() + _NEAR_S
        for dog in self._dogs:
            dog.look(near)


class Watchdog:
    """Bounds each wait for a provider, and all of them together. A wait is `with watchdog: await ...`.

    Only the time in which somebody waits counts: while a slow caller reads, the provider's clocks stand still. The caller's
    own deadline does not.

    Args:
        total_s: how long the provider may take in all.
        watch: looks after it.
        left_s: how long it is to the caller's deadline; None: there is none.

    Attributes:
        longest_s: how long each wait from now on may take; None: as long as the whole.
        hurried: whether a wait was ended by the caller's deadline.
    """

    __slots__ = (
        "_cancelling",
        "_deadline",
        "_due",
        "_expired",
        "_loop",
        "_silence",
        "_since",
        "_task",
        "_timer",
        "_until",
        "_watch",
        "hurried",
        "longest_s",
    )

    def __init__(self, total_s: float, watch: Watch, left_s: float | None = None) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._since = loop.time()  # when the last wait ended
        self._due = self._since + total_s
        self._deadline = math.inf if left_s is None else self._since + left_s
        self._watch = watch
        self._until: float | None = None
        self._silence = False
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None
        self.longest_s: float | None = None
        self.hurried = False
        watch.add(self, loop)

    def look(self, near: float) -> None:
        """Gets a timer of its own where the wait is over by then."""
        until = self._until
        if until is None or until > near:
            return
        if self._timer is not None:
            if self._timer.when() <= until:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(until, self._tick)

    def __enter__(self) -> None:
        loop = self._loop
        task = self._task = asyncio.current_task(loop)
        assert task is not None
        self._cancelling = task.cancelling()
        now, longest_s = loop.time(), self.longest_s
        due = self._due = self._due + now - self._since
        until = due if due < self._deadline else self._deadline
        self._silence = longest_s is not None and now + longest_s < until
        if self._silence:
            until = now + longest_s  # type: ignore[operator]
        self._until = until
        if until < now + _NEAR_S:
            self.look(until)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._until = None
        self._since = self._loop.time()
        if not self._expired:
            return
        self._expired = False
        task = self._task
        assert task is not None
        if task.uncancel() > self._cancelling:
            return  # somebody else wants the task to end, too
        if kind is None or issubclass(kind, asyncio.CancelledError | ProviderError):
            self.hurried = not self._silence and self._deadline < self._due
            text = "The provider was silent for too long." if self._silence else "The provider did not answer in time."
            raise ProviderError(Fault.TIMEOUT, text) from None

    def close(self) -> None:
        """Ends the watch."""
        self._watch.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        until = self._until
        if until is None:
            return  # nobody waits; the next wait gets its own
        if self._loop.time() < until:
            self._timer = self._loop.call_at(until, self._tick)
        elif self._task is not None:
            self._until = None  # once is enough, however long the wait takes to end
            self._expired = True
            self._task.cancel()
