"""What the in-process channel alone does, and what its calls owe to the task that awaits them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextvars import ContextVar
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from server.call import Call
from server.inprocess.channel import InProcessChannel
from tests.server.channels import Scripted, scripted


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Scripted]:
    async with scripted("in process", tmp_path) as served:
        yield served


async def wait_for_ever(request: BytesValue, call: Call) -> BytesValue:
    await asyncio.Event().wait()
    return request


async def one_turn() -> None:
    """Lets everything that is ready run once."""
    await asyncio.sleep(0)


async def test_a_call_that_nobody_awaits_never_begins(served: Scripted) -> None:
    call = served.call()
    call.cancel()
    assert (served.log, await call.code()) == ([], grpc.StatusCode.CANCELLED)


async def test_messages_are_handed_over_and_not_copied(served: Scripted) -> None:
    answer = BytesValue(value=b"the very one")

    async def hand_over(request: BytesValue, call: Call) -> BytesValue:
        return answer

    served.unary = hand_over
    assert await served.call() is answer


async def test_context_variables_are_the_callers(served: Scripted) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nobody's")

    async def look(request: BytesValue, call: Call) -> BytesValue:
        return BytesValue(value=variable.get().encode())

    served.unary = look
    variable.set("the caller's")
    assert (await served.call()).value == b"the caller's"


async def test_a_cancellation_of_the_task_outlives_the_end_of_its_call(served: Scripted) -> None:
    served.unary = wait_for_ever
    call = served.call()

    async def wait() -> None:
        await call

    task = asyncio.ensure_future(wait())
    await one_turn()
    closing = asyncio.ensure_future(served.channel.close())
    await one_turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await closing
    assert (task.cancelling(), await call.code()) == (1, grpc.StatusCode.UNAVAILABLE)


async def test_a_task_that_is_being_cancelled_may_still_call(served: Scripted) -> None:
    async def call_at_the_end() -> bytes:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return (await served.call(b"last words")).value
        return b""

    task = asyncio.ensure_future(call_at_the_end())
    await one_turn()
    task.cancel()
    assert await task == b"last words"


async def test_a_task_that_is_being_cancelled_still_gets_the_deadline_of_its_call(served: Scripted) -> None:
    served.unary = wait_for_ever

    async def call_at_the_end() -> grpc.StatusCode:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            call = served.call(timeout=0.01)
            with pytest.raises(grpc.aio.AioRpcError):
                await call
            return await call.code()
        return grpc.StatusCode.OK

    task = asyncio.ensure_future(call_at_the_end())
    await one_turn()
    task.cancel()
    assert await task is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_servicer_that_goes_on_after_its_end_is_closed(served: Scripted) -> None:
    closed = asyncio.Event()

    async def go_on(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        try:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield request
        finally:
            closed.set()

    served.stream = go_on
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await served.read(timeout=0.01).read()
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(closed.wait(), 10)


async def test_leaving_the_second_who_awaits_cancels_the_call_for_both(served: Scripted) -> None:
    served.unary = wait_for_ever
    call = served.call()

    async def wait() -> None:
        await call

    tasks = [asyncio.ensure_future(wait()) for _ in range(2)]
    await one_turn()
    tasks[1].cancel()
    assert [type(ending) for ending in await asyncio.gather(*tasks, return_exceptions=True)] == [asyncio.CancelledError] * 2
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_a_call_is_counted_until_it_ends(served: Scripted) -> None:
    channel = served.channel
    assert isinstance(channel, InProcessChannel)
    call = served.read()
    await call.read()
    assert len(channel.calls) == 1
    call.cancel()
    assert len(channel.calls) == 0


async def test_closing_waits_until_the_handlers_have_ended(served: Scripted) -> None:
    ended: list[str] = []

    async def end_slowly(request: BytesValue, call: Call) -> BytesValue:
        try:
            await asyncio.Event().wait()
        finally:
            await one_turn()
            await one_turn()
            ended.append("handler")
        return request

    served.unary = end_slowly
    task = asyncio.ensure_future(served.call().code())
    await one_turn()
    await one_turn()
    await served.channel.close()
    assert (ended, await task) == (["handler"], grpc.StatusCode.UNAVAILABLE)


async def test_the_status_of_a_stream_with_messages_unread_is_not_waited_for_in_vain(served: Scripted) -> None:
    with pytest.raises(asyncio.InvalidStateError):
        await served.read().code()


async def test_a_read_that_waits_for_its_turn_when_the_call_ends_begins_nothing(served: Scripted) -> None:
    begun: list[bytes] = []

    async def wait(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        begun.append(request.value)
        await asyncio.Event().wait()
        yield request

    served.stream = wait
    call = served.read()
    reading = asyncio.ensure_future(call.read())
    call.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert begun == []


async def test_a_read_that_waits_for_its_turn_does_not_overtake_what_was_read_ahead(served: Scripted) -> None:
    call = served.read()
    reading = asyncio.ensure_future(call.read())
    await call.initial_metadata()
    assert await reading == BytesValue(value=b"0")
    assert await call.read() == BytesValue(value=b"1")
