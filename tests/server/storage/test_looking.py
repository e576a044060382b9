"""Rows that others may change are looked at again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from server.storage.errors import StorageError
from server.storage.looking import keep_looking


async def until(reached: asyncio.Event, refreshes: dict[str, Callable[[], Awaitable[None]]]) -> None:
    """Looks until something is reached."""
    task = asyncio.ensure_future(keep_looking(refreshes, every_s=0))
    await reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_fails_is_tried_again_and_holds_nothing_else_up() -> None:
    looks = {"failing": 0, "well": 0}
    reached = asyncio.Event()

    async def failing() -> None:
        looks["failing"] += 1
        if looks["failing"] < 3:
            raise StorageError("It does not answer.")
        reached.set()

    async def well() -> None:
        looks["well"] += 1

    await until(reached, {"failing": failing, "well": well})
    assert looks["failing"] >= 3
    assert looks["well"] >= 2
