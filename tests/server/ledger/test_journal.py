"""The journal's files hold every row, whichever is read first and wherever a crash cut them."""

import shutil
from pathlib import Path

import pytest

from server.ledger.entry import Status
from server.ledger.journal import Journal, JournalError
from server.ledger.ledger import Ledger
from server.ledger.rows import Rows, Wanted
from server.ledger.spool import Spool
from server.storage.database import Database
from tests.server.ledger.entries import TurnedClock, contents, intent, settlement

LARGE = 1 << 20


class Writing:
    """A journal that is told of completions by their ids."""

    def __init__(self, folder: Path, max_bytes: int = LARGE, in_memory_bytes: int = LARGE) -> None:
        self.journal = Journal(folder, "dead", max_bytes, in_memory_bytes)
        self.journal.open()

    def begin(self, *ids: str) -> None:
        self.journal.begin([intent(id, worker="dead") for id in ids])

    def end(self, *ids: str, status: Status = Status.COMPLETED) -> None:
        self.journal.end([settlement(id, status) for id in ids])


def files(folder: Path) -> list[Path]:
    """The files in a folder, in order."""
    return sorted(folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal"


async def recovered(database: Database, left: Path) -> dict[str, str]:
    """The states of all completions, once a worker has found the files."""
    ledger = Ledger(database, TurnedClock(), "me", left)
    await ledger.recover()
    page = await Rows(database).list(Wanted(), 100)
    await ledger.close()
    assert files(left) == []
    return {row.id: row.state for row in page.completions}


@pytest.mark.parametrize("names", [("first", "second"), ("second", "first")], ids=["in order", "in the other order"])
async def test_it_does_not_matter_which_file_is_read_first(
    sqlite_database: Database, folder: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    writing = Writing(folder)
    writing.begin("a", "b", "c")
    writing.end("a")
    writing.journal.turn()
    writing.end("b")
    writing.end("a", "b", status=Status.FAILED)
    writing.begin("d")
    writing.end("d")
    left = tmp_path / "left"
    left.mkdir()
    for file, name in zip(files(folder), names, strict=True):
        shutil.copy(file, left / f"{name}.spool")
    states = await recovered(sqlite_database, left)
    assert states == {"a": "settled", "b": "settled", "c": "open", "d": "settled"}
    assert {row.status for row in (await Rows(sqlite_database).list(Wanted(), 9)).completions} == {"completed", ""}
    writing.journal.close()


@pytest.mark.parametrize("room", [0, 5000])
def test_a_crash_at_any_byte_of_a_line_costs_that_line_alone(folder: Path, tmp_path: Path, room: int) -> None:
    writing = Writing(folder)
    writing.begin("a", "b")
    file = files(folder)[0]
    whole = len(contents(file))
    writing.end("a")
    data = contents(file)
    (tmp_path / "left").mkdir()
    for size in range(whole, len(data) + 1):
        (tmp_path / "left" / "dead.1.spool").write_bytes(data[:size] + bytes(room))
        (left,) = Spool.find_left(tmp_path / "left")
        read = left.read(9)
        assert read.batch.ids() == ["a", "b", *(["a"] if size == len(data) else [])]
        left.forget(read.end)
        left.close()
    writing.journal.close()


def test_a_settlement_is_one_row_with_its_intent(folder: Path) -> None:
    writing = Writing(folder)
    writing.begin("a", "b", "c")
    writing.end("a")
    full = writing.journal.turn()
    writing.end("b")
    writing.journal.arrived(full)
    writing.end("c")
    batch = writing.journal.turn().group.batch()
    assert ([whole.intent.id for whole in batch.wholes], [settled.id for settled in batch.settlements]) == (["b"], ["c"])
    writing.journal.close()


def test_the_files_are_empty_when_all_has_arrived(folder: Path) -> None:
    writing = Writing(folder)
    for number in range(10):
        writing.begin(str(number))
        writing.end(str(number))
        writing.journal.arrived(writing.journal.turn())
    assert writing.journal.empty
    assert [contents(file) for file in files(folder)] == [b"", b""]
    writing.journal.close()
    assert files(folder) == []


def test_what_is_too_much_for_memory_is_in_the_file_alone(folder: Path) -> None:
    writing = Writing(folder, in_memory_bytes=1000)
    for number in range(100):
        writing.begin(str(number))
        if number % 10:
            writing.end(str(number))
    full = writing.journal.turn()
    assert full.loose
    assert (len(full.group.intents), len(full.group.wholes), len(full.group.settlements)) == (10, 0, 0)
    assert len(full.spool.read(1000).batch) == full.rows == 190
    writing.end("0")
    writing.journal.arrived(full)
    assert list(writing.journal.turn().group.wholes) == ["0"]
    writing.journal.close()


def test_both_files_together_are_no_larger_than_allowed(folder: Path) -> None:
    writing = Writing(folder, max_bytes=2000)
    with pytest.raises(JournalError):
        any(map(writing.begin, map(str, range(100))))
    writing.journal.turn()
    with pytest.raises(JournalError):
        writing.begin("more")
    assert 1000 < sum(len(contents(file)) for file in files(folder)) <= 2000
    writing.journal.close()


def test_of_what_comes_together_all_is_taken_or_none(folder: Path) -> None:
    writing = Writing(folder, max_bytes=2000)
    with pytest.raises(JournalError):
        writing.begin(*map(str, range(100)))
    assert (writing.journal.empty, writing.journal.rows) == (True, 0)
    writing.begin("a", "b", "c")
    writing.journal.turn()
    with pytest.raises(JournalError):
        writing.end("a", *map(str, range(100)))
    assert writing.journal.rows == 3
    writing.end("a", "b")
    side = writing.journal.turn()
    assert (side.rows, list(side.group.wholes)) == (2, ["a", "b"])
    assert list(writing.journal.turn().group.intents) == ["c"]
    writing.journal.close()


def test_a_full_disk_takes_nothing_and_loses_nothing(folder: Path) -> None:
    folder.mkdir()
    (folder / "dead.1.spool").symlink_to("/dev/full")
    writing = Writing(folder)
    with pytest.raises(JournalError):
        writing.begin("a")
    assert writing.journal.empty
    writing.journal.turn()
    writing.begin("a")
    writing.journal.turn()
    with pytest.raises(JournalError):
        writing.end("a")
    owed = writing.journal.owed(settlement("a"))
    assert (owed.ids(), len(owed.wholes)) == (["a"], 1)
    writing.journal.close()
