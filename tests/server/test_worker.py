"""Who a worker is, and whether it lives."""

import os
import subprocess
import sys

import pytest

from server import worker
from server.worker import find_worker_id, lives


def test_this_process_lives() -> None:
    assert lives(find_worker_id()) is True


def test_a_process_with_the_same_number_is_another() -> None:
    assert lives(find_worker_id() + "1") is False


def test_of_another_hosts_process_nothing_is_known() -> None:
    assert lives("elsewhere.00000000:1:1") is None


def id_of(process: int) -> str:
    """The id of another process of this host, as it would give it to itself."""
    return find_worker_id().replace(f":{os.getpid()}:", f":{process}:").rpartition(":")[0] + f":{worker._begin(process)}"


def test_a_process_that_has_ended_is_no_more_whoever_waits_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        id = id_of(child.pid)
        assert lives(id) is True
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert lives(id) is False
    assert lives(id) is False


def test_of_a_process_that_the_system_hides_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    id, read = find_worker_id(), worker._text
    monkeypatch.setattr(worker, "_text", lambda path: "" if path.endswith("/stat") else read(path))
    assert lives(id) is None
