"""Keeps the garbage collector out of the way of requests, and gives memory back when a rush is over."""

import asyncio
import ctypes
import gc
import sys

_YOUNG_OBJECTS = 50_000
"""How many new objects make a collection. Python's 700 would make one every few requests, and nearly all of them would find
nothing: requests leave hardly any cycles."""

_PERIOD_S = 15.0


def settle() -> None:
    """Sets what start-up built aside, for good: no collection looks at it again. Call it in the running loop.

    It also takes the loop's hooks for async generators away: the loop keeps a list of all that run, to close those that
    were forgotten. Ours are closed by whoever opened them, and the list costs each request more than its checks do.
    """
    sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)


async def give_back() -> None:
    """From time to time collects what past requests left and returns free memory to the system. Runs until cancelled."""
    trim = _trim()
    while True:
        await asyncio.sleep(_PERIOD_S)
        gc.collect()
        if trim is not None:
            trim(0)


def _trim() -> "ctypes._NamedFuncPointer | None":
    """glibc's `malloc_trim`; None where the C library is another one."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
