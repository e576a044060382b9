"""Ends a call with a status: the only place that does."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from server.call import Call, CallStatus
from server.errors import GatewayError, to_status
from trunkline.v1.error_reason_pb2 import ErrorReason

INTERNAL_TEXT = "The gateway failed to handle this request; its log says more under the request id."

_TRIED = ("grpc-retry-pushback-ms", "-1")
"""Keeps a caller's gRPC from trying again where the gateway has tried: its tries would multiply the gateway's own.
Source: gRFC A6, "Pushback"."""


class Errors:
    """Ends the call with a status when an exception leaves the servicer.

    A `GatewayError` tells its reason; anything else is INTERNAL with a fixed text, and the log has the rest. Cancellation
    passes through.

    Args:
        redact: takes the secrets out of a text.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def enter(self, call: Call) -> None:
        """Nothing is to be done before the call."""

    def leave(self, call: Call, error: BaseException | None) -> Awaitable[None] | None:
        """Ends the call where an exception did."""
        if not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError):
            return None
        return self._end(call, error)

    async def _end(self, call: Call, error: Exception) -> None:
        if not isinstance(error, GatewayError):
            log = structlog.get_logger("trunkline.errors")
            log.error("internal_error", method=call.method, request_id=call.request_id, exc_info=error)
            error = GatewayError(ErrorReason.ERROR_REASON_INTERNAL, INTERNAL_TEXT)
        error.message = self._redact(error.message)
        error.metadata = {key: self._redact(value) for key, value in error.metadata.items()}
        error.metadata["request_id"] = call.request_id
        error.fields = tuple((self._redact(field), self._redact(text)) for field, text in error.fields)
        trailers = [*call.trailers, _TRIED] if "attempts" in error.metadata else call.trailers
        await call.context.abort_with_status(CallStatus.of(error.code, to_status(error), trailers))
