"""Interceptors are entered from the outside in, left from the inside out, and each sees what left the one within."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from server.call import Call
from server.inprocess import InProcessChannel
from server.interceptors.chain import Handler, Interceptor, Registry
from tests.server.channels import SERVICE, UNARY


async def run(interceptors: Sequence[Interceptor], log: list[str]) -> grpc.StatusCode:
    """Calls a method through the interceptors; it notes that it was reached."""

    async def method(request: BytesValue, call: Call) -> BytesValue:
        log.append("servicer")
        return request

    channel = InProcessChannel()
    handler = cast(Handler, grpc.unary_unary_rpc_method_handler(method))
    Registry(interceptors, (channel,)).add_registered_method_handlers(SERVICE, {"Unary": handler})
    call = channel.unary_unary(UNARY)(BytesValue())
    code: grpc.StatusCode = await call.code()  # type: ignore[attr-defined]
    await channel.close()
    return code


def interceptor(
    name: str, log: list[str], entering: Exception | None = None, leaving: BaseException | None = None
) -> Callable[[Call], AbstractAsyncContextManager[None]]:
    """Notes what it sees; fails where it is told to."""

    @asynccontextmanager
    async def noting(call: Call) -> AsyncIterator[None]:
        log.append(f"{name} enters")
        if entering is not None:
            raise entering
        try:
            yield
        except Exception as error:
            log.append(f"{name} sees {type(error).__name__}")
            raise
        finally:
            if leaving is not None:
                raise leaving
        log.append(f"{name} leaves")

    return noting


async def test_all_are_entered_and_left_around_the_servicer() -> None:
    log: list[str] = []
    assert await run([interceptor("a", log), interceptor("b", log)], log) is grpc.StatusCode.OK
    assert log == ["a enters", "b enters", "servicer", "b leaves", "a leaves"]


async def test_one_that_refuses_is_seen_by_those_around_it_alone() -> None:
    log: list[str] = []
    interceptors = [interceptor("a", log), interceptor("b", log, entering=ValueError()), interceptor("c", log)]
    assert await run(interceptors, log) is grpc.StatusCode.UNKNOWN
    assert log == ["a enters", "b enters", "a sees ValueError"]


async def test_one_that_fails_when_it_is_left_is_seen_by_those_around_it() -> None:
    log: list[str] = []
    interceptors = [interceptor("a", log), interceptor("b", log, leaving=KeyError()), interceptor("c", log)]
    assert await run(interceptors, log) is grpc.StatusCode.UNKNOWN
    assert log == ["a enters", "b enters", "c enters", "servicer", "c leaves", "a sees KeyError"]


async def test_a_cancellation_while_one_is_left_leaves_the_others() -> None:
    log: list[str] = []
    left: list[type[BaseException] | None] = []

    class Last:
        def __init__(self, call: Call) -> None: ...

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
            left.append(kind)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(awaited([Last, interceptor("b", log, leaving=asyncio.CancelledError())], log))
    assert left == [asyncio.CancelledError]


async def awaited(interceptors: Sequence[Interceptor], log: list[str]) -> None:
    async def method(request: BytesValue, call: Call) -> BytesValue:
        return request

    channel = InProcessChannel()
    handler = cast(Handler, grpc.unary_unary_rpc_method_handler(method))
    Registry(interceptors, (channel,)).add_registered_method_handlers(SERVICE, {"Unary": handler})
    await channel.unary_unary(UNARY)(BytesValue())  # type: ignore[misc]
