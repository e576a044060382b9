"""Ctrl-C around calls. In the middle of gRPC's own code KeyboardInterrupt may leave a lock held for ever, and with it the
channel's next call waits for ever."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def hold_back(stop: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Raises Ctrl-C not within the block, but at its end.

    Args:
        stop: called at once where Ctrl-C comes, so that the block ends soon.
    """
    former = signal.getsignal(signal.SIGINT)
    if former is not signal.default_int_handler:  # Ctrl-C is ignored, or does something else
        yield
        return
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True
        stop()

    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
        if pressed:
            raise KeyboardInterrupt
