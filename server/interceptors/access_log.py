"""One log line for every call, when it has ended."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog

from server.call import Call
from server.clock import Clock
from server.errors import GatewayError


def access_log(clock: Clock) -> Callable[[Call], AbstractAsyncContextManager[None]]:
    """Logs method, code, reason, duration, caller and what the call's way noted; never a key, a prompt or an answer."""
    log = structlog.get_logger("trunkline.access")

    @asynccontextmanager
    async def interceptor(call: Call) -> AsyncIterator[None]:
        begin = clock.monotonic()
        code = "OK"
        try:
            yield
        except GatewayError as error:
            code = error.code.name
            call.notes["reason"] = error.reason_name
            raise
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except BaseException:
            code = "INTERNAL"
            raise
        finally:
            log.info(
                "call",
                method=call.method,
                code=code,
                duration_s=round(clock.monotonic() - begin, 6),
                request_id=call.request_id,
                caller=call.caller.name,
                **call.notes,
            )

    return interceptor
