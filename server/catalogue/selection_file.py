"""Keeps selections in a file of the data folder, which all processes of a gateway share."""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from server.catalogue.selections import Selection, Selections
from server.clock import Clock

FILE_NAME = "model_selections.json"
LOOK_AGAIN_S = 1.0
"""How long another process's change may go unseen."""

_LARGEST_BYTES = 16 << 20
Stamp = tuple[int, int, int]
"""Tells one content of the file from the next: inode, time and size."""


class SelectionFileError(Exception):
    """The file cannot be read, or holds something else."""


class SelectionFile:
    """The selections, as the file has them.

    A change is written beside the file and takes its place at once, under a lock that other processes heed; theirs are seen
    within LOOK_AGAIN_S.

    Args:
        folder: the data folder; None: selections last as long as the process.
        clock: tells when to look at the file again.

    Attributes:
        changed: called when other selections are in force, whoever changed them.

    Raises:
        SelectionFileError: the file is there and makes no sense.
    """

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._file = None if folder is None else folder / FILE_NAME
        self.changed: Callable[[], None] = lambda: None
        self._clock = clock
        self._look_again = clock.monotonic() + LOOK_AGAIN_S
        self._changing = asyncio.Lock()
        self._stamp = _stamp(self._file)
        self._selections = _read(self._file)

    def current(self) -> Selections:
        """The selections in force. Cheap: the file is looked at once in LOOK_AGAIN_S, and read where it changed."""
        now = self._clock.monotonic()
        if now >= self._look_again:
            self._look_again = now + LOOK_AGAIN_S
            stamp = _stamp(self._file)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read_again()
        return self._selections

    async def change(self, provider: str, change: Callable[[Selection | None], Selection | None]) -> Selection | None:
        """Changes one provider's selection, and returns once that is on the disk and in force.

        Args:
            provider: the provider's name.
            change: makes the new selection of the old one; None: there is none.

        Raises:
            OSError: the file cannot be written.
            SelectionFileError: it holds something else.
        """
        async with self._changing:
            self._selections, self._stamp = await asyncio.to_thread(self._change, provider, change)
            self.changed()
            return self._selections.of(provider)

    def _change(
        self, provider: str, change: Callable[[Selection | None], Selection | None]
    ) -> tuple[Selections, Stamp | None]:
        if self._file is None:
            return self._selections.having(provider, change(self._selections.of(provider))), None
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._file):
            before = _read(self._file)
            made = before.having(provider, change(before.of(provider)))
            _write(self._file, made)
            return made, _stamp(self._file)

    def _read_again(self) -> None:
        try:
            self._selections = _read(self._file)
        except SelectionFileError as error:
            log = structlog.get_logger("trunkline.catalogue")
            log.error("model_selections_not_read", error=str(error))
            return
        self.changed()


def _stamp(file: Path | None) -> Stamp | None:
    try:
        found = None if file is None else file.stat()
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns, found.st_size)


def _read(file: Path | None) -> Selections:
    if file is None:
        return Selections()
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES)
    except FileNotFoundError:
        return Selections()
    except OSError as error:
        raise SelectionFileError(f"{file}: the selections cannot be read: {error.strerror}") from None
    try:
        return Selections(msgspec.json.decode(content, type=dict[str, Selection]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SelectionFileError(f"{file}: the file is damaged; move it away to go on without selections") from None


def _write(file: Path, selections: Selections) -> None:
    """Replaces the file: whoever reads it finds the old content or the new one, whole."""
    content = msgspec.json.format(msgspec.json.encode(dict(selections)))
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Holds the lock beside a file; the system lets go of it when the process dies."""
    descriptor = os.open(file.with_name(f".{file.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
