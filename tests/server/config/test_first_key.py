"""The first key is made once, shown once, and kept as a digest."""

import hashlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from server.config import ConfigError, data_dir, ensure_first_key
from server.config.first_key import FILE_NAME

ROOT = Path(__file__).parents[3]


def test_the_first_key_is_shown_to_its_maker_only(tmp_path):
    first, again = ensure_first_key(tmp_path / "a" / "b"), ensure_first_key(tmp_path / "a" / "b")
    assert re.fullmatch(r"llm_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first.plain)
    assert first.digest == hashlib.sha256(first.plain.encode()).digest() == again.digest
    assert again.plain is None


def test_the_folder_holds_the_digest_and_never_the_key(tmp_path):
    folder = tmp_path / "data"
    first = ensure_first_key(folder)
    assert (folder.stat().st_mode & 0o777, (folder / FILE_NAME).stat().st_mode & 0o777) == (0o700, 0o600)
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]
    text = (folder / FILE_NAME).read_text()
    entry = json.loads(text)["api_keys"][0]
    assert first.plain not in text
    assert (entry["sha256"], entry["roles"]) == (first.digest.hex(), ["completion", "admin"])
    assert set(entry) == {"sha256", "created_time", "roles"}


def test_many_at_once_make_one_key(tmp_path):
    barrier = Barrier(8)

    def make(_):
        barrier.wait()
        return ensure_first_key(tmp_path / "data")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert len({key.digest for key in made}) == 1
    assert sum(key.plain is not None for key in made) == 1


def test_two_processes_at_once_make_one_key(tmp_path):
    code = (
        f"from pathlib import Path; from server.config import ensure_first_key as e; print(e(Path({str(tmp_path)!r})).plain)"
    )
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in started)
    assert said[0] == "None"
    assert said[1].startswith("llm_")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"api_keys": []}', b'{"api_keys": [{"sha256": "abc"}]}', b'{"api_keys": [{"sha256": 5}]}'],
)
def test_a_damaged_file_is_an_error_and_stays_as_it_is(content, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        ensure_first_key(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_folder_that_cannot_be_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be kept here"):
        ensure_first_key(tmp_path / "file" / "data")


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"TRUNKLINE_DATA_DIR": "/a", "XDG_DATA_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_DATA_HOME": "/b", "HOME": "/c"}, "/b/trunkline"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/c"}, "/c/.local/share/trunkline"),
        ({"HOME": "/c"}, "/c/.local/share/trunkline"),
    ],
)
def test_the_data_folder_is_the_first_that_is_named(env, folder):
    assert data_dir(env) == Path(folder)


def test_without_any_name_there_is_no_data_folder():
    with pytest.raises(ConfigError, match="TRUNKLINE_DATA_DIR"):
        data_dir({})
