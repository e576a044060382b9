"""Ends a call with a status: the only place that does."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from trunkline.v1.error_reason_pb2 import ErrorReason

from server.call import Call, CallStatus
from server.errors import GatewayError, to_status

INTERNAL_TEXT = "The gateway failed to handle this request; its log says more under the request id."


def errors(redact: Callable[[str], str]) -> Callable[[Call], AbstractAsyncContextManager[None]]:
    """Ends the call with a status when an exception leaves the servicer.

    A `GatewayError` tells its reason; anything else is INTERNAL with a fixed text, and the log has the rest. Cancellation
    passes through.

    Args:
        redact: takes the secrets out of a text.
    """
    log = structlog.get_logger("trunkline.errors")

    @asynccontextmanager
    async def interceptor(call: Call) -> AsyncIterator[None]:
        try:
            yield
        except GatewayError as error:
            await _end(call, error, redact)
        except Exception:
            log.exception("internal_error", method=call.method, request_id=call.request_id)
            await _end(call, GatewayError(ErrorReason.ERROR_REASON_INTERNAL, INTERNAL_TEXT), redact)

    return interceptor


async def _end(call: Call, error: GatewayError, redact: Callable[[str], str]) -> None:
    error.message = redact(error.message)
    error.metadata = {key: redact(value) for key, value in error.metadata.items()}
    error.metadata["request_id"] = call.request_id
    await call.context.abort_with_status(CallStatus.of(error.code, to_status(error), call.trailers))
