"""One log line for every call, when it has ended."""

import asyncio

import structlog

from server.call import DEADLINE_PASSED, STOPPED, Call
from server.clock import Clock
from server.errors import GatewayError

_CODES = {DEADLINE_PASSED: "DEADLINE_EXCEEDED", STOPPED: "UNAVAILABLE", "": "CANCELLED"}
"""Why a call was cut off -> its code."""


class AccessLog:
    """Logs method, code, reason, duration, caller and what the call's way noted; never a key, a prompt or an answer.

    Args:
        clock: tells the time.
        log: where to.

    Attributes:
        stopped: whether what still runs is cut off, as the gateway stops.
    """

    def __init__(self, clock: Clock, log: structlog.typing.FilteringBoundLogger) -> None:
        self._clock = clock
        self._log = log
        self.stopped = False

    def enter(self, call: Call) -> None:
        """Looks at the clock."""
        call.begin = self._clock.monotonic()

    def leave(self, call: Call, error: BaseException | None) -> None:
        """Logs the call."""
        code = "OK" if error is None else self._code(call, error)
        self._log.info(
            "call",
            method=call.method,
            code=code,
            duration_s=round(self._clock.monotonic() - call.begin, 6),
            request_id=call.request_id,
            caller=call.caller.name,
            **call.notes,
        )

    def _code(self, call: Call, error: BaseException) -> str:
        if isinstance(error, GatewayError):
            call.notes["reason"] = error.reason_name
            return error.code.name
        if not isinstance(error, asyncio.CancelledError | GeneratorExit):
            return "INTERNAL"
        reason = call.why_cut_off(self.stopped)
        if reason:
            call.notes["reason"] = reason
        return _CODES[reason]
