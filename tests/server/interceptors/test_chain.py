"""Interceptors are entered from the outside in, left from the inside out, and each sees what left the one within."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from server.call import Call
from server.inprocess.channel import InProcessChannel
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


class Noting:
    """Notes what it sees; fails where it is told to."""

    def __init__(
        self, name: str, log: list[str], entering: Exception | None = None, leaving: BaseException | None = None
    ) -> None:
        self._name = name
        self._log = log
        self._entering = entering
        self._leaving = leaving

    def enter(self, call: Call) -> Awaitable[None] | None:
        self._log.append(f"{self._name} enters")
        if self._entering is not None:
            raise self._entering
        return None

    def leave(self, call: Call, error: BaseException | None) -> Awaitable[None] | None:
        if error is not None:
            self._log.append(f"{self._name} sees {type(error).__name__}")
        if self._leaving is not None:
            raise self._leaving
        if error is None:
            self._log.append(f"{self._name} leaves")
        return None


class Waiting(Noting):
    """The same; it waits a turn before each step."""

    def enter(self, call: Call) -> Awaitable[None]:
        return self._later(super().enter, call)

    def leave(self, call: Call, error: BaseException | None) -> Awaitable[None]:
        return self._later(super().leave, call, error)

    @staticmethod
    async def _later(step: Callable[..., object], *arguments: object) -> None:
        await asyncio.sleep(0)
        step(*arguments)


either = pytest.mark.parametrize("kind", [Noting, Waiting])


@either
async def test_all_are_entered_and_left_around_the_servicer(kind: type[Noting]) -> None:
    log: list[str] = []
    assert await run([kind("a", log), kind("b", log)], log) is grpc.StatusCode.OK
    assert log == ["a enters", "b enters", "servicer", "b leaves", "a leaves"]


@either
async def test_one_that_refuses_is_seen_by_those_around_it_alone(kind: type[Noting]) -> None:
    log: list[str] = []
    interceptors = [kind("a", log), kind("b", log, entering=ValueError()), kind("c", log)]
    assert await run(interceptors, log) is grpc.StatusCode.UNKNOWN
    assert log == ["a enters", "b enters", "a sees ValueError"]


@either
async def test_one_that_fails_when_it_is_left_is_seen_by_those_around_it(kind: type[Noting]) -> None:
    log: list[str] = []
    interceptors = [kind("a", log), kind("b", log, leaving=KeyError()), kind("c", log)]
    assert await run(interceptors, log) is grpc.StatusCode.UNKNOWN
    assert log == ["a enters", "b enters", "c enters", "servicer", "c leaves", "a sees KeyError"]


@either
async def test_a_cancellation_while_one_is_left_leaves_the_others(kind: type[Noting]) -> None:
    log: list[str] = []
    interceptors = [kind("a", log), kind("b", log, leaving=asyncio.CancelledError())]
    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(awaited(interceptors, log))
    assert log == ["a enters", "b enters", "a sees CancelledError"]


async def awaited(interceptors: Sequence[Interceptor], log: list[str]) -> None:
    async def method(request: BytesValue, call: Call) -> BytesValue:
        return request

    channel = InProcessChannel()
    handler = cast(Handler, grpc.unary_unary_rpc_method_handler(method))
    Registry(interceptors, (channel,)).add_registered_method_handlers(SERVICE, {"Unary": handler})
    await channel.unary_unary(UNARY)(BytesValue())  # type: ignore[misc]
