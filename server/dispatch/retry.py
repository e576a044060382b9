"""What comes after a failed attempt: the same target again, the next one, or the end."""

import random
from dataclasses import dataclass
from enum import Enum

from server.providers.errors import Fault, ProviderError

_LEAST_BUDGET = 3
_BUDGET_SHARE = 0.2
_LONGEST_BACKOFF_S = 30.0
_LONGEST_WAIT_S = 1.0
"""How long to wait for a target while another one has not been asked."""

_AGAIN = frozenset({Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.SERVER, Fault.CONNECTION, Fault.PROTOCOL})
"""Faults that the same target may not have at the next try. Silence is not among them: waiting again costs the most."""


class RetryBudget:
    """How many attempts beyond each request's first may run: a share of the requests under way, so that when all fail
    the load on the providers grows by that share and not many times.
    """

    __slots__ = ("_requests", "_spent")

    def __init__(self) -> None:
        self._requests = 0
        self._spent = 0

    def request_begins(self) -> None:
        """A request is under way."""
        self._requests += 1

    def request_ends(self) -> None:
        """A request has ended."""
        self._requests -= 1

    def take(self) -> bool:
        """Takes one attempt out of the budget, to be given back when it has ended; false: there is none."""
        if self._spent >= max(_LEAST_BUDGET, _BUDGET_SHARE * self._requests):
            return False
        self._spent += 1
        return True

    def give_back(self) -> None:
        """An attempt that was taken has ended."""
        self._spent -= 1


class Then(Enum):
    """What comes after a failed attempt."""

    AGAIN = "again"
    NEXT = "next"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the decision depends on, beside the failure.

    Attributes:
        retries: how often the target was asked again already.
        most_retries: how often it may be.
        first_delay_s: the first back-off's upper bound; it doubles each time.
        others: whether another target is left that may be asked now.
        time_left_s: to the caller's deadline; None: there is none.
        filtered_elsewhere: whether a refusal by content policy may be asked elsewhere.
    """

    retries: int
    most_retries: int
    first_delay_s: float
    others: bool
    time_left_s: float | None
    filtered_elsewhere: bool = False


def after(error: ProviderError, situation: Situation, chance: random.Random) -> tuple[Then, float]:
    """What to do after a failure, and after how many seconds.

    The wait is what the provider said, else a back-off with full jitter. A target is not waited for when another one can be
    asked at once, nor when the caller's time would be over.
    """
    fault = error.fault
    if fault in _AGAIN and situation.retries < situation.most_retries:
        delay_s = error.retry_after_s
        if delay_s is None:
            bound = min(_LONGEST_BACKOFF_S, situation.first_delay_s * 2**situation.retries)
            delay_s = chance.uniform(0, bound)
        in_time = situation.time_left_s is None or delay_s < situation.time_left_s
        if in_time and delay_s <= (_LONGEST_WAIT_S if situation.others else _LONGEST_BACKOFF_S):
            return Then.AGAIN, delay_s
    if fault.elsewhere or fault is Fault.CONTEXT_LENGTH or (fault is Fault.CONTENT_FILTER and situation.filtered_elsewhere):
        return Then.NEXT, 0.0
    return Then.STOP, 0.0
