"""Who a worker is, and whether it lives."""

from server.worker import find_worker_id, lives


def test_this_process_lives() -> None:
    assert lives(find_worker_id()) is True


def test_a_process_with_the_same_number_is_another() -> None:
    assert lives(find_worker_id() + "1") is False


def test_of_another_hosts_process_nothing_is_known() -> None:
    assert lives("elsewhere.00000000:1:1") is None
