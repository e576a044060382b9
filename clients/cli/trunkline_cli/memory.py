"""Keeps the garbage collector out of the way of requests, and gives back the memory that start-up and rushes took."""

import asyncio
import ctypes
import gc
import linecache
import mmap
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast

_YOUNG_OBJECTS = 50_000
"""How many new objects make a collection. Python's 700 would make one every few requests, and nearly all of them would find
nothing: requests leave hardly any cycles."""

_PERIOD_S = 15.0

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What glibc's `mallopt` calls them. Source: https://man7.org/linux/man-pages/man3/mallopt.3.html (2026-11)"""

_KEPT_BYTES = 64 * 1024 * 1024
_MAPPED_BYTES = 4 * 1024 * 1024
"""Larger than what orjson takes for a while to read or write JSON: some ten times its length."""
_MAPPINGS = Path("/proc/self/smaps")


def settle() -> None:
    """Sets what start-up built aside, for good: no collection looks at it again. Call it in the running loop.

    It also takes the loop's hooks for async generators away: the loop keeps a list of all that run, to close those that
    were forgotten. Ours are closed by whoever opened them, and the list costs each request more than its checks do.
    """
    sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
    linecache.clearcache()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
    _keep_between_trims()
    _trim()
    _let_go_of_programs()


async def give_back() -> None:
    """From time to time collects what past requests left and returns free memory to the system. Runs until cancelled."""
    while True:
        await asyncio.sleep(_PERIOD_S)
        gc.collect()
        _trim()


def find_programs(mappings: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The parts of memory that hold programs and constants just as their files do: where each begins, and its bytes.

    Args:
        mappings: the lines of `/proc/PID/smaps`. Source: https://docs.kernel.org/filesystems/proc.html (2026-11)
    """
    begin = end = 0
    for line in mappings:
        first, *rest = line.split()
        if not first.endswith(":"):
            begin, end = (int(address, 16) for address in first.split("-"))
            if rest[0] not in ("r-xp", "r--p") or not rest[-1].startswith("/"):
                begin = end
        elif first == "Anonymous:" and rest[0] == "0" and begin < end:
            yield begin, end - begin


def _let_go_of_programs() -> None:
    """Lets go of the pages of programs that start-up needed. They stay in the system's cache, and come back when used.

    Start-up touches most of the libraries once, and Linux maps 16 pages at each touch: 25 MB that are never used again.
    """
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    if madvise is None or not _MAPPINGS.exists():
        return
    for begin, size in find_programs(_MAPPINGS.read_text(errors="replace").splitlines()):
        madvise(ctypes.c_void_p(begin), ctypes.c_size_t(size), mmap.MADV_DONTNEED)


def _keep_between_trims() -> None:
    """Lets glibc keep what was freed until it is trimmed. It would return it at once, a request's body and all that was made
    of it, and the next request would have each page of it from the system again: 80 page faults for a prompt of 100 KB.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)


def _trim() -> None:
    """Returns free memory to the system."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    """A function that only glibc has; None where the C library is another one."""
    return cast(Callable[..., int] | None, getattr(ctypes.CDLL(None), name, None))
