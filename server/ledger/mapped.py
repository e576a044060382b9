"""The beginning of a file as memory: to write there is to copy, which no other thread can get in between.

What is copied is the kernel's at once, so it outlives the process, as what is written does. The room is taken from the disk
before it is mapped: a full disk is an error here, and never a signal when the memory is touched.
"""

import mmap
import os

_STEP_BYTES = 1 << 20
_KEPT_BYTES = 4 << 20


class Mapped:
    """Room at a file's beginning; what is not written there is zeros.

    Attributes:
        memory: where to copy to; None: there is no room yet.
        room: how many bytes there are.
    """

    __slots__ = ("memory", "room")

    def __init__(self) -> None:
        self.memory: mmap.mmap | None = None
        self.room = 0

    def grow(self, file: int, size: int) -> mmap.mmap:
        """Makes room for so many bytes, and gives the memory; what was there before is there still.

        Raises:
            OSError: the disk fails, or is full; there is no room then.
        """
        self.close()
        room = -(-size // _STEP_BYTES) * _STEP_BYTES
        _reserve(file, room)
        self.memory, self.room = mmap.mmap(file, room), room
        return self.memory

    def clear(self, end: int) -> bool:
        """Makes what was written up to there zeros again; False: it is too much, and should be cut off instead."""
        if self.memory is None or self.room > _KEPT_BYTES:
            return False
        self.memory[:end] = bytes(end)
        return True

    def close(self) -> None:
        """Lets go of the memory; the file may be cut then."""
        if self.memory is not None:
            self.memory.close()
            self.memory, self.room = None, 0


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
