"""Rows that wait in a local file while the database takes none.

A file is one worker's, in a folder that workers may share; it has one line for a row. What `append` took is on the disk,
whole; what `write` took is safe however the process ends, but not the machine; a line that was torn was never promised to
anybody. The worker holds a lock on its file, which ends with it: a file without one is left over, and whoever starts next
takes it. Everything here blocks; `write` no longer than the kernel needs to copy the line.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from server.ledger.lines import LineError, read_line, write_lines
from server.ledger.mapped import Mapped, find_end
from server.ledger.record import Batch

SUFFIX = ".spool"
_READ_BYTES = 1 << 20
_TRIES = 100
_TRY_AGAIN_S = 0.01


class SpoolError(Exception):
    """The file takes no more: it is full, the disk fails, or an entry is none. Nothing of the batch is in it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read.

    Attributes:
        batch: the rows; it has none where only damaged lines were left.
        end: where to go on.
        damaged: how many lines were passed over because their checksum, or what they say, is wrong.
    """

    batch: Batch
    end: int
    damaged: int


class Spool:
    """A worker's file. It is made with the first row.

    Args:
        folder: where the files are; made if need be.
        worker: whose it is.
        max_bytes: how large it may become with intents; settlements may double it, as what they tell was done already.
        sync: brings a file to the disk.

    Attributes:
        path: where it is.
        max_bytes: as above; may be changed.
    """

    def __init__(self, folder: Path, worker: str, max_bytes: int, sync: Callable[[int], None] = os.fsync) -> None:
        self.path = folder / f"{worker.replace(':', '-').replace('/', '-')}{SUFFIX}"
        self.max_bytes = max_bytes
        self._sync = sync
        self._file: int | None = None
        self._mapped = Mapped()
        self._begin = 0
        self._end = 0

    @classmethod
    def find_left(cls, folder: Path) -> "list[Spool]":
        """The files whose workers are no more; they are the finder's now, who closes them."""
        left = []
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            spool = cls(folder, path.name.removesuffix(SUFFIX), 0)
            if spool._take(os.O_RDWR):
                left.append(spool)
        return left

    @property
    def empty(self) -> bool:
        """Whether everything that it took was read."""
        return self._begin == self._end

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self._end

    def open(self) -> None:
        """Makes the file, if it is not there yet.

        Raises:
            OSError: the disk fails.
        """
        self._open()

    def append(self, batch: Batch) -> None:
        """Takes rows; they are on the disk when it returns.

        Raises:
            SpoolError: it takes no more.
        """
        file = self._try_open()
        end = self._end
        try:
            self.write(b"".join(write_lines(batch)), bool(batch.intents))
            self._sync(file)
        except LineError as error:
            raise SpoolError(str(error)) from error
        except OSError as error:
            self._end = end
            self._cut(end)
            raise SpoolError(f"{self.path}: {error}") from error

    def write(self, lines: bytes, intents: bool) -> int:
        """Takes lines, whole, and does not wait for the disk.

        Args:
            lines: the lines.
            intents: whether there are intents among them.

        Returns:
            How many bytes it has now.

        Raises:
            SpoolError: it takes no more.
        """
        memory = self._mapped.memory
        if memory is None:
            self._try_open()  # what it has already is not written over
        at = self._end
        end = at + len(lines)
        if end > self.max_bytes and (intents or end > 2 * self.max_bytes):
            raise SpoolError(f"{self.path} is as large as it may be")
        if memory is None or end > self._mapped.room:
            memory = self._make_room(end)
        memory[at:end] = lines
        self._end = end
        return end

    def read(self, count: int) -> Read:
        """The next rows, no more than `count`; they stay until `forget` is told.

        Raises:
            OSError: the disk fails.
            LineError: a line is a later version's.
        """
        batch, damaged, at = Batch(), 0, self._begin
        data = b""
        while self._file is not None and len(batch) < count and at < self._end:
            line, newline, _ = data.partition(b"\n")
            if not newline:
                more = os.pread(self._file, min(_READ_BYTES, self._end - at - len(data)), at + len(data))
                if not more:  # torn by a crash
                    at = self._end
                    break
                data += more
                continue
            at += len(line) + 1
            data = data[len(line) + 1 :]
            if not read_line(line, batch):
                damaged += 1
        return Read(batch, at, damaged)

    def forget(self, end: int) -> None:
        """Says that everything before is in the database."""
        self._begin = end
        if self.empty:
            self._begin = self._end = 0
            if not self._mapped.clear(end):
                self._cut(0)

    def close(self) -> None:
        """Lets go of the file, which is removed if nothing is left in it."""
        if self._file is None:
            return
        if self.empty:
            self.path.unlink(missing_ok=True)
            self._mapped.close()
        else:
            self._cut(self._end)
        os.close(self._file)
        self._file = None

    def _make_room(self, size: int) -> mmap.mmap:
        try:
            return self._mapped.grow(self._open(), size)
        except OSError as error:
            self._cut(self._end)
            raise SpoolError(f"{self.path}: {error}") from error

    def _try_open(self) -> int:
        try:
            return self._open()
        except OSError as error:
            raise SpoolError(f"{self.path}: {error}") from error

    def _open(self) -> int:
        if self._file is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for _ in range(_TRIES):
                if self._take(os.O_RDWR | os.O_CREAT):
                    break
                time.sleep(_TRY_AGAIN_S)  # somebody took it for a left one before it was locked, and removes it
            else:
                raise OSError("another has it")
            folder = os.open(self.path.parent, os.O_RDONLY)
            self._sync(folder)
            os.close(folder)
        assert self._file is not None
        return self._file

    def _take(self, flags: int) -> bool:
        """Opens and locks the file; False: another has it, or it is gone."""
        try:
            file = os.open(self.path, flags | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(self.path).st_ino == os.fstat(file).st_ino:
                self._file, self._end = file, find_end(file)
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(file)
        return False

    def _cut(self, size: int) -> None:
        self._mapped.close()
        if self._file is not None:
            with suppress(OSError):  # what stays there is written over, and until then it may be read again
                os.ftruncate(self._file, size)
