"""What holds for all tests."""

import gc
import signal

pytest_plugins = ("tests.fakes.stores",)


def pytest_configure() -> None:
    """Lets Ctrl-C mean what it should: a shell starts what runs in its background with the signal ignored, for good."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection() -> None:
    """Collects no garbage while tests are made, which are thousands and stay."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spares every later collection the look at all that the tests are made of."""
    gc.freeze()
    gc.enable()
