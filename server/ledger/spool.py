"""Rows that wait in a local file while the database takes none.

One file for a worker, in a folder that workers may share; one line for a row: a checksum and JSON. What `append` took is on
the disk, whole; a line that a crash tore was never promised to anybody. The worker holds a lock on its file, which ends with
it, however it ends: a file without one is left over, and whoever starts next takes it. Everything here blocks.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import orjson

from server.ledger.record import INTENT_COLUMNS, SETTLEMENT_COLUMNS, Batch, Row

_SUFFIX = ".spool"
_READ_BYTES = 1 << 20
_TRIES = 100
_TRY_AGAIN_S = 0.01
_KINDS: dict[str, Sequence[str]] = {
    "intent": INTENT_COLUMNS,
    "settlement": (*SETTLEMENT_COLUMNS, "id"),
    "whole": (*INTENT_COLUMNS, *SETTLEMENT_COLUMNS),
}


class SpoolError(Exception):
    """The file takes no more: it is full, the disk fails, or a row is none. Nothing of the batch is in it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read.

    Attributes:
        batch: the rows; it has none where only damaged lines were left.
        end: where to go on.
        damaged: how many lines were passed over because their checksum is wrong.
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
    """

    def __init__(self, folder: Path, worker: str, max_bytes: int, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = folder / f"{worker.replace(':', '-').replace('/', '-')}{_SUFFIX}"
        self._max_bytes = max_bytes
        self._sync = sync
        self._file: int | None = None
        self._begin = 0
        self._end = 0

    @classmethod
    def find_left(cls, folder: Path) -> "list[Spool]":
        """The files whose workers are no more; they are the finder's now, who closes them."""
        left = []
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            spool = cls(folder, path.name.removesuffix(_SUFFIX), 0)
            if spool._take(os.O_RDWR):
                left.append(spool)
        return left

    @property
    def empty(self) -> bool:
        """Whether everything that it took was read."""
        return self._begin == self._end

    def append(self, batch: Batch) -> None:
        """Takes rows; they are on the disk when it returns.

        Raises:
            SpoolError: it takes no more.
        """
        try:
            lines = b"".join(_lines(batch))
        except orjson.JSONEncodeError as error:
            raise SpoolError(f"a row is none: {error}") from error
        limit = self._max_bytes if batch.intents else 2 * self._max_bytes
        if self._end + len(lines) > limit:
            raise SpoolError(f"{self._path} is as large as it may be")
        try:
            file = self._open()
            view = memoryview(lines)
            at = self._end
            while view:
                written = os.pwrite(file, view, at)
                view, at = view[written:], at + written
            self._sync(file)
        except OSError as error:
            self._cut(self._end)
            raise SpoolError(f"{self._path}: {error}") from error
        self._end = at

    def read(self, count: int) -> Read:
        """The next rows, no more than `count`; they stay until `forget` is told.

        Raises:
            OSError: the disk fails.
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
            if not _add(batch, line):
                damaged += 1
        return Read(batch, at, damaged)

    def forget(self, end: int) -> None:
        """Says that everything before is in the database."""
        self._begin = end
        if self.empty:
            self._begin = self._end = 0
            self._cut(0)

    def close(self) -> None:
        """Lets go of the file, which is removed if nothing is left in it."""
        if self._file is None:
            return
        if self.empty:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = None

    def _open(self) -> int:
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for _ in range(_TRIES):
                if self._take(os.O_RDWR | os.O_CREAT):
                    break
                time.sleep(_TRY_AGAIN_S)  # somebody took it for a left one before it was locked, and removes it
            else:
                raise OSError("another has it")
            folder = os.open(self._path.parent, os.O_RDONLY)
            self._sync(folder)
            os.close(folder)
        assert self._file is not None
        return self._file

    def _take(self, flags: int) -> bool:
        """Opens and locks the file; False: another has it, or it is gone."""
        try:
            file = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(self._path).st_ino == os.fstat(file).st_ino:
                self._file, self._end = file, os.fstat(file).st_size
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(file)
        return False

    def _cut(self, size: int) -> None:
        if self._file is not None:
            try:
                os.ftruncate(self._file, size)
            except OSError:
                self._end = max(self._end, os.fstat(self._file).st_size)


def _lines(batch: Batch) -> Iterable[bytes]:
    parts: tuple[tuple[str, list[Row]], ...] = (
        ("intent", batch.intents),
        ("whole", batch.wholes),
        ("settlement", batch.settlements),
    )
    for kind, rows in parts:
        for row in rows:
            text = orjson.dumps([kind, dict(zip(_KINDS[kind], row, strict=True))])
            yield b"%08x %b\n" % (crc32(text), text)


def _add(batch: Batch, line: bytes) -> bool:
    """Puts a line's row into a batch; False: the line is damaged."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return False
    kind, values = orjson.loads(text)
    row = tuple(values.get(name) for name in _KINDS[kind])
    {"intent": batch.intents, "settlement": batch.settlements, "whole": batch.wholes}[kind].append(row)
    return True
