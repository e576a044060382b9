"""Ends a call with a status: the only place that does."""

import asyncio
from collections.abc import Callable
from types import TracebackType

import structlog

from server.call import Call, CallStatus
from server.errors import GatewayError, to_status
from trunkline.v1.error_reason_pb2 import ErrorReason

INTERNAL_TEXT = "The gateway failed to handle this request; its log says more under the request id."


class Errors:
    """Ends the call with a status when an exception leaves the servicer.

    A `GatewayError` tells its reason; anything else is INTERNAL with a fixed text, and the log has the rest. Cancellation
    passes through.

    Args:
        call: the call.
        redact: takes the secrets out of a text.
    """

    __slots__ = ("_call", "_redact")

    def __init__(self, call: Call, redact: Callable[[str], str]) -> None:
        self._call = call
        self._redact = redact

    async def __aenter__(self) -> None:
        """Nothing is to be done before the call."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError):
            return
        if not isinstance(error, GatewayError):
            log = structlog.get_logger("trunkline.errors")
            log.error("internal_error", method=self._call.method, request_id=self._call.request_id, exc_info=error)
            error = GatewayError(ErrorReason.ERROR_REASON_INTERNAL, INTERNAL_TEXT)
        error.message = self._redact(error.message)
        error.metadata = {key: self._redact(value) for key, value in error.metadata.items()}
        error.metadata["request_id"] = self._call.request_id
        error.fields = tuple((self._redact(field), self._redact(text)) for field, text in error.fields)
        await self._call.context.abort_with_status(CallStatus.of(error.code, to_status(error), self._call.trailers))
