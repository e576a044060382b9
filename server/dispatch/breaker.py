"""When to leave a target alone: a circuit breaker that opens after failures and closes after proofs.

It knows nothing of providers or requests: somebody asks it, tells it how tries ended, and hands it the time.
"""

from enum import Enum


class BreakerState(Enum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing."""
    HALF_OPEN = "half_open"
    """One try at a time, to see."""


class Breaker:
    """Opens after failures in a row, tries again after a while, and closes after successes in a row.

    While it is half open only one try is under way, so that a target that is down gets one in `recovery_s`.

    Args:
        failures: how many in a row open it; 0: it never opens.
        recovery_s: how long it stays open.
        proofs: how many successes in a row close it again.
    """

    __slots__ = ("_failed", "_failures", "_proofs", "_proven", "_recovery_s", "_since", "_trying")

    def __init__(self, failures: int, recovery_s: float, proofs: int) -> None:
        self._failures = failures
        self._recovery_s = recovery_s
        self._proofs = proofs
        self._failed = 0
        self._proven = 0
        self._since: float | None = None
        self._trying = False

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
        return self._since is None or (now >= self._since + self._recovery_s and not self._trying)

    def opens_in(self, now: float) -> float:
        """Seconds until it lets a try through; 0: now."""
        return 0.0 if self._since is None else max(0.0, self._since + self._recovery_s - now)

    def begin(self) -> None:
        """A try begins; it ends with `succeeded`, `failed` or `left`."""
        if self._since is not None:
            self._trying = True

    def succeeded(self) -> None:
        """A try went well."""
        self._failed = 0
        self._trying = False
        if self._since is None:
            return
        self._proven += 1
        if self._proven >= self._proofs:
            self._since = None
            self._proven = 0

    def failed(self, now: float) -> None:
        """A try failed in a way that counts."""
        self._failed += 1
        self._trying = False
        self._proven = 0
        if self._since is not None or (self._failures and self._failed >= self._failures):
            self._since = now

    def left(self) -> None:
        """A try ended without telling anything: its caller left, or the fault was the request's."""
        self._trying = False
