"""Has what several callers want at about the same time done in one go.

Code that a request passes once finds little of itself left in the processor's caches, and takes about three times as long
as when it runs again at once. So those who come in the same few turns of the loop wait for each other; who comes alone waits
for one turn.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_T = TypeVar("_T")
_MANY = 64
"""So many wait for nobody else."""
_TURNS = 8
"""For so many turns they wait at most,"""
_QUIET_TURNS = 3
"""and for so many in which nobody came."""


class Cohort(Generic[_T]):
    """Those who wait.

    Args:
        work: does what they want, and gives for each why it failed; None: it did not.
        left: told of each who has left meanwhile, and likewise; None: what they wanted is not done.
    """

    def __init__(
        self,
        work: Callable[[Sequence[_T]], Sequence[Exception | None]],
        left: Callable[[_T, Exception | None], None] | None = None,
    ) -> None:
        self._work = work
        self._left = left
        self._waiting: list[tuple[_T, asyncio.Future[None]]] = []

    def join(self, member: _T) -> "asyncio.Future[None]":
        """Has it done soon; what is given is to be awaited, and raises what `work` says of it."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((member, done))
        if len(self._waiting) == 1:
            loop.call_soon(self._look, loop, 1, 1, 0)
        return done

    def _look(self, loop: asyncio.AbstractEventLoop, had: int, turn: int, quiet_turns: int) -> None:
        """Waits on for more; not for a second one, where nobody came in the first turn."""
        have = len(self._waiting)
        quiet_turns = quiet_turns + 1 if have == had else 0
        if 1 < have < _MANY and turn < _TURNS and quiet_turns < _QUIET_TURNS:
            loop.call_soon(self._look, loop, have, turn + 1, quiet_turns)
        else:
            self.finish()

    def finish(self) -> None:
        """Does now what is waited for, if anything is."""
        waiting, self._waiting = self._waiting, []
        if self._left is None:
            waiting = [each for each in waiting if not each[1].cancelled()]
        if not waiting:
            return
        faults: Sequence[Exception | None]
        try:
            faults = self._work([member for member, _ in waiting])
        except Exception as error:
            faults = [error] * len(waiting)
        for (member, done), fault in zip(waiting, faults, strict=True):
            if done.cancelled():
                assert self._left is not None
                self._left(member, fault)
            elif fault is None:
                done.set_result(None)
            else:
                done.set_exception(fault)
