"""One log line for every call, when it has ended."""

import asyncio
from types import TracebackType

import structlog

from server.call import Call
from server.clock import Clock
from server.errors import GatewayError


class AccessLog:
    """Logs method, code, reason, duration, caller and what the call's way noted; never a key, a prompt or an answer.

    Args:
        call: the call.
        clock: tells the time.
        log: where to.
    """

    __slots__ = ("_begin", "_call", "_clock", "_log")

    def __init__(self, call: Call, clock: Clock, log: structlog.typing.FilteringBoundLogger) -> None:
        self._call = call
        self._clock = clock
        self._log = log
        self._begin = clock.monotonic()

    async def __aenter__(self) -> None:
        """Nothing is to be done before the call."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call = self._call
        code = "OK" if error is None else _code(call, error)
        self._log.info(
            "call",
            method=call.method,
            code=code,
            duration_s=round(self._clock.monotonic() - self._begin, 6),
            request_id=call.request_id,
            caller=call.caller.name,
            **call.notes,
        )


def _code(call: Call, error: BaseException) -> str:
    if isinstance(error, GatewayError):
        call.notes["reason"] = error.reason_name
        return error.code.name
    return "CANCELLED" if isinstance(error, asyncio.CancelledError | GeneratorExit) else "INTERNAL"
