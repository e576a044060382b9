"""The beginning of a file as memory: to write there is to copy, which no other thread can get in between.

What is copied is the kernel's at once, so it outlives the process, as what is written does. The room is taken from the disk
before it is mapped: a full disk is an error here, and never a signal when the memory is touched.
"""

import mmap
import os

_STEP_BYTES = 1 << 20
_KEPT_BYTES = 4 << 20


class Mapped:
    """Room at a file's beginning; what is not written there is zeros."""

    __slots__ = ("_memory", "_room")

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self._room = 0

    def put(self, file: int, at: int, data: bytes) -> int:
        """Writes to the file, and gives where that ends.

        Raises:
            OSError: the disk fails, or is full; nothing is written.
        """
        end = at + len(data)
        if end > self._room:
            self._grow(file, end)
        assert self._memory is not None
        self._memory[at:end] = data
        return end

    def clear(self, end: int) -> bool:
        """Makes what was written up to there zeros again; False: it is too much, and should be cut off instead."""
        if self._memory is None or self._room > _KEPT_BYTES:
            return False
        self._memory[:end] = bytes(end)
        return True

    def close(self) -> None:
        """Lets go of the memory; the file may be cut then."""
        if self._memory is not None:
            self._memory.close()
            self._memory, self._room = None, 0

    def _grow(self, file: int, size: int) -> None:
        self.close()
        room = -(-size // _STEP_BYTES) * _STEP_BYTES
        _reserve(file, room)
        self._memory, self._room = mmap.mmap(file, room), room


def find_end(file: int) -> int:
    """Where what is not zeros ends.

    Raises:
        OSError: the disk fails.
    """
    end = os.fstat(file).st_size
    while end:
        begin = max(0, end - _STEP_BYTES)
        used = len(os.pread(file, end - begin, begin).rstrip(b"\0"))
        if used:
            return begin + used
        end = begin
    return 0


def _reserve(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    have = os.fstat(file).st_size  # macOS has no such call
    while have < size:
        have += os.pwrite(file, bytes(size - have), have)
