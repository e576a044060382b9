"""Rows in a local file the moment they are told, and in memory until the database has them.

Two files take turns: one takes what comes, while the other's rows go to the database, and is emptied when they are there.
A settlement brings its intent along if that is in the other file: so it does not matter which is read first after a crash.
Rows that become too many are left to the file, which can be read. Knows nothing of the database.
"""

from collections.abc import Sequence
from pathlib import Path

from server.ledger.entry import Entry, Intent, Settlement, Whole
from server.ledger.group import Group
from server.ledger.lines import LineError, write_line
from server.ledger.record import Batch
from server.ledger.spool import Spool, SpoolError

_INTEGER_BITS = 63
"""A database's integers have so many, and a sign."""


class JournalError(Exception):
    """The file takes none of the entries, as it is full, the disk fails, or one of them is none."""


class Side:
    """One of the files.

    Args:
        spool: the file.

    Attributes:
        group: its rows, and of a side that is `loose` only the intents without a settlement.
        loose: whether the other rows are in the file alone.
        rows: how many the file took.
    """

    __slots__ = ("group", "loose", "rows", "spool")

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.group = Group()
        self.loose = False
        self.rows = 0

    def loosen(self) -> None:
        """Leaves the rows to the file."""
        if not self.loose:
            self.loose = True
            self.group = Group(self.group.intents)


class Journal:
    """A worker's files.

    Args:
        folder: where they are.
        worker: whose they are.
        max_bytes: how large they may become together, as for a `Spool`.
        in_memory_bytes: how large one may become while its rows are in memory.
    """

    def __init__(self, folder: Path, worker: str, max_bytes: int, in_memory_bytes: int) -> None:
        self._taking, self._other = (Side(Spool(folder, f"{worker}.{number}", max_bytes)) for number in (1, 2))
        self._max_bytes = max_bytes
        self._in_memory_bytes = in_memory_bytes

    @property
    def empty(self) -> bool:
        """Whether the database has everything."""
        return self._taking.spool.empty and self._other.spool.empty

    @property
    def rows(self) -> int:
        """How many rows it has that the database has not, or may not have."""
        return self._taking.rows + self._other.rows

    def open(self) -> None:
        """Makes the files. Blocks.

        Raises:
            OSError: the disk fails.
        """
        for side in (self._taking, self._other):
            side.spool.open()
            side.loose = not side.spool.empty

    def begin(self, intents: Sequence[Intent]) -> int:
        """Takes intents, all or none.

        Returns:
            How many rows the file took since it was empty.

        Raises:
            JournalError: see there.
        """
        for intent in intents:
            if (intent.begin_time | intent.reserved_tokens | (intent.reserved_micros or 0)) >> _INTEGER_BITS:
                raise JournalError("a number is negative, or larger than any in a database")
        side = self._taking
        self._write(side, intents, True)
        for intent in intents:
            side.group.begin(intent)
        return side.rows

    def end(self, settlements: Sequence[Settlement]) -> int:
        """Takes settlements; gives and raises what `begin` does."""
        side, elsewhere = self._taking, self._other.group.intents
        brought = {each.id: elsewhere[each.id] for each in settlements if each.id in elsewhere} if elsewhere else {}
        self._write(side, [Whole(brought[each.id], each) if each.id in brought else each for each in settlements], False)
        for id in brought:
            del elsewhere[id]
        for settlement in settlements:
            if side.loose:
                side.group.intents.pop(settlement.id, None)
            else:
                side.group.end(settlement, brought.get(settlement.id))
        return side.rows

    def _write(self, side: Side, entries: Sequence[Entry], intents: bool) -> None:
        try:
            size = side.spool.write(b"".join(map(write_line, entries)), intents)
        except (SpoolError, LineError) as error:
            raise JournalError(str(error)) from error
        side.rows += len(entries)
        if size > self._in_memory_bytes:
            side.loosen()

    def owed(self, settlement: Settlement) -> Batch:
        """What the database has to be told where the files do not take a settlement: the intent may come later than that."""
        for side in (self._taking, self._other):
            if (intent := side.group.intents.get(settlement.id)) is not None:
                return Batch(wholes=[Whole(intent, settlement)])
        return Batch(settlements=[settlement])

    def turn(self) -> Side:
        """Lets the other side, which is empty, take what comes; gives the one that did so until now."""
        full, self._taking = self._taking, self._other
        self._other = full
        self._taking.spool.max_bytes = self._max_bytes - full.spool.size
        return full

    def arrived(self, side: Side) -> None:
        """Empties a side: the database has its rows."""
        side.spool.forget(side.spool.size)
        side.group, side.loose, side.rows = Group(), False, 0
        self._taking.spool.max_bytes = self._max_bytes

    def close(self) -> None:
        """Lets go of the files; those that have rows stay for the next worker. Blocks."""
        for side in (self._taking, self._other):
            side.spool.close()
