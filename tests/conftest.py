"""What holds for all tests."""

import signal

pytest_plugins = ("tests.fakes.stores",)


def pytest_configure() -> None:
    """Lets Ctrl-C mean what it should: a shell starts what runs in its background with the signal ignored, for good."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
