"""What is selected for providers: what it does to requests, and how it is kept."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from server.catalogue.selection_file import FILE_NAME, LOOK_AGAIN_S, SelectionFile, SelectionFileError
from server.catalogue.selections import NO_DEFAULTS, Defaults, Selection, Selections
from tests.server.catalogue.listing_provider import TurnedClock

CHOSEN = Selection("gpt-4", priority=5, max_tokens=2000, temperature=0.7, update_time=1.5)


def test_requests_for_the_selected_model_get_its_defaults() -> None:
    selections = Selections({"first": CHOSEN})
    assert selections.defaults("first", "gpt-4") == Defaults(2000, 0.7)
    assert selections.defaults("first", "gpt-5") is NO_DEFAULTS
    assert selections.defaults("second", "gpt-4") is NO_DEFAULTS


def test_a_selected_priority_takes_the_place_of_the_rows() -> None:
    selections = Selections({"first": CHOSEN, "second": Selection("m")})
    assert [selections.priority(name) for name in ("first", "second", "third")] == [5, None, None]


async def test_what_is_changed_is_there_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    kept = SelectionFile(folder, TurnedClock())
    assert kept.current().of("first") is None
    assert await kept.change("first", lambda before: CHOSEN) == CHOSEN
    assert kept.current().of("first") == CHOSEN
    assert SelectionFile(folder, TurnedClock()).current().of("first") == CHOSEN
    await kept.change("first", lambda before: None)
    assert SelectionFile(folder, TurnedClock()).current().of("first") is None


async def test_the_file_is_for_its_owner_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    await SelectionFile(tmp_path, TurnedClock()).change("first", lambda before: CHOSEN)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert set(os.listdir(tmp_path)) == {FILE_NAME, f".{FILE_NAME}.lock"}


async def test_another_process_sees_a_change_soon(tmp_path: Path) -> None:
    clock = TurnedClock()
    one, other = SelectionFile(tmp_path, clock), SelectionFile(tmp_path, clock)
    await one.change("first", lambda before: CHOSEN)
    assert other.current().of("first") is None
    seen: list[bool] = []
    other.changed = lambda: seen.append(True)
    clock.turn(LOOK_AGAIN_S)
    assert [other.current().of("first"), other.current().of("first")] == [CHOSEN, CHOSEN]
    assert seen == [True]


async def test_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    files = [SelectionFile(tmp_path, TurnedClock()) for _ in range(4)]
    changes = [file.change(f"p{place}", lambda before: CHOSEN) for place, file in enumerate(files)]
    await asyncio.gather(*changes)
    assert {name for name, _ in SelectionFile(tmp_path, TurnedClock()).current()} == {"p0", "p1", "p2", "p3"}


async def test_a_refused_change_changes_nothing(tmp_path: Path) -> None:
    kept = SelectionFile(tmp_path, TurnedClock())
    await kept.change("first", lambda before: CHOSEN)

    def refuse(before: Selection | None) -> None:
        assert threading.current_thread() is not threading.main_thread()
        raise ValueError("No.")

    with pytest.raises(ValueError, match="No"):
        await kept.change("first", refuse)
    assert kept.current().of("first") == CHOSEN


async def test_without_a_folder_selections_last_as_long_as_the_process() -> None:
    kept = SelectionFile(None, TurnedClock())
    await kept.change("first", lambda before: CHOSEN)
    assert kept.current().of("first") == CHOSEN


@pytest.mark.parametrize("content", [b"", b"[]", b'{"first": {"model": 5}}', b'{"first": {}}', b"\xff"])
def test_a_damaged_file_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(SelectionFileError, match="damaged; move it away"):
        SelectionFile(tmp_path, TurnedClock())


async def test_a_file_that_is_damaged_later_leaves_what_was_in_force(tmp_path: Path) -> None:
    clock = TurnedClock()
    kept = SelectionFile(tmp_path, clock)
    await kept.change("first", lambda before: CHOSEN)
    (tmp_path / FILE_NAME).write_bytes(b"{")
    clock.turn(LOOK_AGAIN_S)
    assert kept.current().of("first") == CHOSEN
    with pytest.raises(SelectionFileError):
        await kept.change("first", lambda before: None)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SelectionFileError, match="cannot be read"):
        SelectionFile(tmp_path, TurnedClock())
