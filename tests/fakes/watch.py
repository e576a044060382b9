"""Lets a test wait for a state instead of for a time."""

import asyncio
from collections.abc import Callable


class Watch:
    """Wakes those who wait for a condition, whenever the owner says that something changed."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def notify(self) -> None:
        """Wakes every waiter whose condition holds at this moment, also if it no longer holds when the waiter runs."""
        for condition, woken in self._waiting:
            if not woken.done() and condition():
                woken.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds; at once if it does already."""
        if condition():
            return
        entry = (condition, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await entry[1]
        finally:
            self._waiting.remove(entry)
