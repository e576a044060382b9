"""The spool gives back what it took, in order, whatever broke meanwhile."""

import errno
from pathlib import Path

import pytest
from msgspec.structs import replace

from server.ledger.entry import Tried, Whole
from server.ledger.lines import write_lines
from server.ledger.record import Batch
from server.ledger.spool import Spool, SpoolError
from tests.server.ledger.entries import contents, intent, settlement

LARGE = 1 << 20


def begun(*ids: str) -> Batch:
    return Batch(intents=[intent(id) for id in ids])


def ended(*ids: str) -> Batch:
    return Batch(settlements=[settlement(id) for id in ids])


def file_of(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def take_left(folder: Path) -> Spool:
    """The one file that is left, as the next worker finds it."""
    (left,) = Spool.find_left(folder)
    return left


def leave(folder: Path, *batches: Batch) -> None:
    """Leaves a file as a worker does that dies."""
    spool = Spool(folder, "w", LARGE)
    for batch in batches:
        spool.append(batch)
    spool.close()


def test_what_was_taken_comes_back_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", LARGE)
    whole = Batch(wholes=[Whole(intent("c"), settlement("c"))])
    for batch in (begun("a", "b"), ended("a"), whole):
        spool.append(batch)
    read = spool.read(10)
    assert read.batch == Batch(begun("a", "b").intents, ended("a").settlements, whole.wholes)
    spool.close()


def test_rows_come_back_in_their_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", LARGE)
    spool.append(begun(*map(str, range(10))))
    ids = []
    while not spool.empty:
        read = spool.read(3)
        ids += read.batch.ids()
        spool.forget(read.end)
    assert ids == list(map(str, range(10)))
    assert contents(file_of(tmp_path)) == b""
    spool.close()


def test_what_is_not_forgotten_comes_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", LARGE)
    spool.append(begun("a"))
    assert spool.read(1).batch == spool.read(1).batch == begun("a")
    spool.close()


def test_an_emptied_file_goes_with_its_worker(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", LARGE)
    spool.append(begun("a"))
    spool.forget(spool.read(1).end)
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_living_workers_file_is_not_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", LARGE)
    spool.append(begun("a"))
    assert Spool.find_left(tmp_path) == []
    spool.close()


def test_a_dead_workers_file_is_taken_once(tmp_path: Path) -> None:
    leave(tmp_path, begun("a"))
    left = take_left(tmp_path)
    assert Spool.find_left(tmp_path) == []
    assert left.read(1).batch == begun("a")
    left.close()


def test_a_line_that_is_torn_anywhere_is_passed_over(tmp_path: Path) -> None:
    leave(tmp_path, begun("a"), begun("b"))
    file = file_of(tmp_path)
    whole = file.read_bytes()
    for size in range(whole.index(b"\n") + 1, len(whole)):
        file.write_bytes(whole[:size])
        left = take_left(tmp_path)
        read = left.read(10)
        assert read.batch == begun("a")
        left.forget(read.end)
        assert left.empty
        left.close()


def test_a_damaged_line_is_counted_and_the_rest_comes(tmp_path: Path) -> None:
    leave(tmp_path, begun("a"), begun("b"))
    file = file_of(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"a"', b'"x"', 1))
    left = take_left(tmp_path)
    read = left.read(10)
    assert (read.batch, read.damaged) == (begun("b"), 1)
    left.close()


def test_a_line_of_what_nobody_can_have_told_is_passed_over(tmp_path: Path) -> None:
    never = Batch(settlements=[replace(settlement("a"), attempts=[Tried("p", "m", latency_s=float("nan"))])])
    leave(tmp_path, never, begun("b"))
    left = take_left(tmp_path)
    read = left.read(10)
    assert (read.batch, read.damaged) == (begun("b"), 1)
    left.close()


@pytest.mark.parametrize("appends", [False, True])
def test_what_a_file_has_already_stays(tmp_path: Path, appends: bool) -> None:
    leave(tmp_path, begun("a", "b"))
    spool = Spool(tmp_path, "w", LARGE)
    if appends:
        spool.append(begun("c"))
    else:
        spool.write(b"".join(write_lines(begun("c"))), True)
    assert spool.read(10).batch == begun("a", "b", "c")
    spool.close()


def test_a_full_file_takes_no_intent_but_settlements_yet(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", 300)
    spool.append(begun("a"))
    with pytest.raises(SpoolError):
        spool.append(begun("b"))
    spool.append(ended("a"))
    assert spool.read(10).batch.ids() == ["a", "a"]
    spool.close()


def test_a_disk_that_fails_leaves_nothing_of_the_batch(tmp_path: Path) -> None:
    failing: list[OSError] = []

    def sync(_: int) -> None:
        if failing:
            raise failing.pop()

    spool = Spool(tmp_path, "w", LARGE, sync)
    spool.append(begun("a"))
    failing.append(OSError(errno.ENOSPC, "full"))
    with pytest.raises(SpoolError):
        spool.append(begun("b"))
    spool.append(begun("c"))
    assert spool.read(10).batch == begun("a", "c")
    spool.close()


def test_many_rows_take_more_room_and_give_it_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w", 64 << 20)
    line = b"x" * (1 << 20) + b"\n"
    for _ in range(6):
        spool.write(line, False)
    assert contents(file_of(tmp_path)) == 6 * line
    spool.forget(spool.size)
    assert file_of(tmp_path).stat().st_size == 0
    spool.append(begun("a"))
    assert spool.read(9).batch.ids() == ["a"]
    spool.close()
    left = take_left(tmp_path)
    assert left.read(9).batch.ids() == ["a"]
    left.close()
