"""Ctrl-C waits for what must not be interrupted."""

import signal
from collections.abc import Iterator

import pytest

from trunkline_cli.interrupts import hold_back


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Ctrl-C as a command finds it, whoever runs the tests."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def press_within(done: list[str], fault: Exception | None = None) -> None:
    """Ctrl-C within the block, and what is done in it after that."""
    with hold_back(lambda: done.append("stopped")):
        signal.raise_signal(signal.SIGINT)
        done.append("went on")
        if fault is not None:
            raise fault
    done.append("went on after the block")


@pytest.mark.parametrize("fault", [None, ValueError("cancelled")], ids=["ends", "fails"])
def test_ctrl_c_stops_what_holds_it_back_and_is_raised_at_its_end(fault: Exception | None) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        press_within(done, fault)
    assert done == ["stopped", "went on"]


def test_ctrl_c_is_raised_where_it_comes_afterwards() -> None:
    with hold_back():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with hold_back():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
