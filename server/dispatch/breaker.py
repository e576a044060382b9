"""When to leave a target alone: a circuit breaker that opens after failures and closes after proofs.

It knows nothing of providers or requests: somebody asks it, tells it how tries ended, and hands it the time.
"""

from enum import Enum

import msgspec


class BreakerState(Enum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing."""
    HALF_OPEN = "half_open"
    """A few tries, to see."""


class Try(msgspec.Struct, gc=False):
    """One try, from its beginning to its end.

    Attributes:
        probe: whether the breaker was not closed when it began, so that its end says whether to close it.
        answered: whether the target has begun to answer.
        limitings: how often the target's limit had been lowered when it began.
    """

    probe: bool
    answered: bool = False
    limitings: int = 0


class Breaker:
    """Opens after failures in a row, tries again after a while, and closes after successes in a row.

    While it is half open, one try at a time waits for an answer, so that a target that is down gets one in `recovery_s`; and
    no more run than are needed, so that one long answer does not keep the others away.

    Args:
        failures: how many in a row open it; 0: it never opens.
        recovery_s: how long it stays open.
        proofs: how many successes in a row close it again.
    """

    __slots__ = ("_failed", "_failures", "_probes", "_proofs", "_proven", "_recovery_s", "_since", "_waiting")

    def __init__(self, failures: int, recovery_s: float, proofs: int) -> None:
        self._failures = failures
        self._recovery_s = recovery_s
        self._proofs = proofs
        self._failed = 0
        self._proven = 0
        self._since: float | None = None
        self._probes = 0
        self._waiting = 0

    @property
    def closed(self) -> bool:
        """Whether it lets everything through."""
        return self._since is None

    def state(self, now: float) -> BreakerState:
        """What it lets through now."""
        if self._since is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._since + self._recovery_s else BreakerState.HALF_OPEN

    def lets_through(self, now: float) -> bool:
        """Whether a try may be made now."""
        if self._since is None:
            return True
        return now >= self._since + self._recovery_s and not self._waiting and self._probes + self._proven < self._proofs

    def opens_in(self, now: float) -> float:
        """Seconds until it lets a try through; 0: now."""
        return 0.0 if self._since is None else max(0.0, self._since + self._recovery_s - now)

    def hold(self, now: float, left_s: float) -> None:
        """Keeps it open for so many seconds at least: another process has found out that it should be."""
        if self._failures:
            since = now + left_s - self._recovery_s
            self._since = since if self._since is None else max(self._since, since)

    def begin(self) -> Try:
        """A try begins; it ends with `succeeded`, `failed` or `left`."""
        if self._since is None:
            return Try(False)
        self._probes += 1
        self._waiting += 1
        return Try(True)

    def answered(self, tried: Try) -> None:
        """A try's target begins to answer."""
        if tried.probe and not tried.answered:
            self._waiting -= 1
        tried.answered = True

    def succeeded(self, tried: Try) -> bool:
        """A try went well. While the breaker is open, one that began before it was proves nothing.

        Returns:
            Whether that closed it.
        """
        self._ends(tried)
        if self._since is None:
            self._failed = 0
        elif tried.probe:
            self._proven += 1
            if self._proven >= self._proofs:
                self._since = None
                self._proven = self._failed = 0
                return True
        return False

    def failed(self, tried: Try, now: float) -> None:
        """A try failed in a way that counts. While the breaker is open, one that began before it was tells nothing new."""
        self._ends(tried)
        if self._since is None:
            self._failed += 1
            if self._failures and self._failed >= self._failures:
                self._since = now
        elif tried.probe:
            self._since = now
            self._proven = 0

    def left(self, tried: Try) -> None:
        """A try ended without telling anything: its caller left, or the fault was the request's."""
        self._ends(tried)

    def _ends(self, tried: Try) -> None:
        if tried.probe:
            self._probes -= 1
            self._waiting -= not tried.answered
