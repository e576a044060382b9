"""One contract for calls, kept by the in-process channel and by gRPC on TCP, on a Unix socket and behind TLS."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from google.rpc import error_details_pb2, status_pb2

from server.call import Call, CallStatus
from server.errors import GatewayError
from server.interceptors.errors import INTERNAL_TEXT, Errors
from server.telemetry.redaction import Redaction
from tests.server.channels import KINDS, SERVICE, STREAM, UNARY, Kind, Scripted, Stream, StreamCall, Unary, scripted
from trunkline.v1.error_reason_pb2 import ErrorReason

CODES = [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)]
EOF: object = grpc.aio.EOF
PATIENCE_S = 10
"""How long a test waits for what should happen at once, before it fails."""

GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@pytest.fixture(params=KINDS)
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scripted]:
    kind: Kind = request.param
    async with scripted(kind, tmp_path) as served:
        yield served


class Waiting:
    """A handler that waits until the test lets it go on, or until it is cancelled.

    Attributes:
        before: how many messages a stream sends before it waits.
        proceed: lets it go on.
        saw: what ended it early.
    """

    def __init__(self, before: int = 0) -> None:
        self.before = before
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()
        self.proceed = asyncio.Event()
        self.saw: BaseException | None = None

    async def has_begun(self) -> None:
        """Returns once the handler waits."""
        await asyncio.wait_for(self._begun.wait(), PATIENCE_S)

    async def has_ended(self) -> None:
        """Returns once the handler is left, however."""
        await asyncio.wait_for(self._ended.wait(), PATIENCE_S)

    async def unary(self, request: BytesValue, call: Call) -> BytesValue:
        await self._wait()
        return request

    async def stream(self, request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        try:
            for number in range(self.before):
                yield BytesValue(value=b"%d" % number)
        except GeneratorExit as exit:
            self.saw = exit
            self._ended.set()
            raise
        await self._wait()
        yield request

    async def _wait(self) -> None:
        self._begun.set()
        try:
            await self.proceed.wait()
        except BaseException as error:
            self.saw = error
            raise
        finally:
            self._ended.set()


async def values(call: StreamCall) -> list[bytes]:
    return [message.value async for message in call]


async def code_of(call: object) -> grpc.StatusCode:
    """How a call ends for whoever awaits or reads it; cancellation is CANCELLED."""
    try:
        if hasattr(call, "__aiter__"):
            await values(call)  # type: ignore[arg-type]
        else:
            await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return error.code()
    except asyncio.CancelledError:
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.OK


def abort_with(code: grpc.StatusCode) -> tuple[Unary, Stream]:
    """Handlers that end with a code: at once, and after one message."""

    async def end(call: Call) -> None:
        await call.context.abort_with_status(
            CallStatus.of(code, status_pb2.Status(code=code.value[0], message="Why: ü."), (("x-trailer", "t"),))
        )

    async def unary(request: BytesValue, call: Call) -> BytesValue:
        await end(call)
        return request

    async def stream(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        yield request
        await end(call)

    return unary, stream


# Answers


async def test_a_call_brings_the_answer_to_its_request(served: Scripted) -> None:
    call = served.call(b"hello")
    assert (await call).value == b"hello"
    assert (await call.code(), await call.details()) == (grpc.StatusCode.OK, "")
    assert (call.done(), call.cancelled(), call.cancel()) == (True, False, False)


async def test_a_stream_brings_its_messages_in_order(served: Scripted) -> None:
    call = served.read()
    assert await values(call) == [b"0", b"1", b"2"]
    assert (await call.code(), call.done()) == (grpc.StatusCode.OK, True)


async def test_a_stream_may_be_read_message_by_message_and_its_end_is_eof_for_ever(served: Scripted) -> None:
    call = served.read()
    assert [(await call.read()).value for _ in range(3)] == [b"0", b"1", b"2"]
    assert [await call.read() for _ in range(3)] == [EOF] * 3


async def test_a_stream_may_be_empty(served: Scripted) -> None:
    async def nothing(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        for _ in ():
            yield request

    served.stream = nothing
    call = served.read()
    assert (await values(call), await call.code()) == ([], grpc.StatusCode.OK)


async def test_messages_may_be_large(served: Scripted) -> None:
    value = bytes(3_000_000)
    assert (await served.call(value)).value == value


async def test_an_answer_may_be_awaited_again(served: Scripted) -> None:
    call = served.call(b"once")
    assert [(await call).value, (await call).value] == [b"once", b"once"]
    assert served.log.count(f"inner enters {UNARY} of nobody") == 1


async def test_two_tasks_may_await_one_call(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    call = served.call(b"both")

    async def wait() -> bytes:
        return (await call).value

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wait()) for _ in range(2)]
        await waiting.has_begun()
        waiting.proceed.set()
    assert [task.result() for task in tasks] == [b"both", b"both"]
    assert served.log.count(f"inner enters {UNARY} of nobody") == 1


async def test_the_status_may_be_awaited_before_the_answer(served: Scripted) -> None:
    call = served.call(b"later")
    assert await call.code() is grpc.StatusCode.OK
    assert (await call).value == b"later"


async def test_the_status_may_be_awaited_while_another_task_waits_for_the_answer(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    call = served.call()
    answer = asyncio.ensure_future(code_of(call))
    await waiting.has_begun()
    code = asyncio.ensure_future(call.code())
    waiting.proceed.set()
    assert (await answer, await code) == (grpc.StatusCode.OK, grpc.StatusCode.OK)
    assert served.log.count(f"inner enters {UNARY} of nobody") == 1


async def test_the_status_may_be_awaited_while_another_task_reads(served: Scripted) -> None:
    waiting = Waiting(before=1)
    served.stream = waiting.stream
    call = served.read(b"last")
    reader = asyncio.ensure_future(values(call))
    await waiting.has_begun()
    code = asyncio.ensure_future(call.code())
    waiting.proceed.set()
    assert await reader == [b"0", b"last"]
    assert await code is grpc.StatusCode.OK


async def test_many_calls_run_at_once(served: Scripted) -> None:
    waiting = Waiting()
    arrived = asyncio.Semaphore(0)

    async def wait_for_all(request: BytesValue, call: Call) -> BytesValue:
        arrived.release()
        return await waiting.unary(request, call)

    served.unary = wait_for_all
    tasks = [asyncio.ensure_future(code_of(served.call(b"%d" % number))) for number in range(50)]
    for _ in tasks:
        await arrived.acquire()
    waiting.proceed.set()
    assert await asyncio.gather(*tasks) == [grpc.StatusCode.OK] * 50


# Metadata


async def test_the_handler_sees_the_callers_metadata(served: Scripted) -> None:
    seen: dict[str, object] = {}

    async def look(request: BytesValue, call: Call) -> BytesValue:
        seen.update(call.metadata)
        return request

    served.unary = look
    await served.call(metadata=(("x-text", "t"), ("x-bytes-bin", b"\0\xff")))
    assert (seen["x-text"], seen["x-bytes-bin"]) == ("t", b"\0\xff")
    await served.call(metadata=grpc.aio.Metadata(("x-text", "u")))
    assert seen["x-text"] == "u"


async def test_initial_and_trailing_metadata_come_with_an_answer(served: Scripted) -> None:
    async def tell(request: BytesValue, call: Call) -> BytesValue:
        await call.context.send_initial_metadata((("x-initial", "i"),))
        call.trailers.append(("x-trailer", "t"))
        return request

    served.unary = tell
    call = served.call()
    await call
    assert (await call.initial_metadata())["x-initial"] == "i"
    assert (await call.trailing_metadata())["x-trailer"] == "t"


async def test_initial_metadata_may_be_awaited_before_the_answer(served: Scripted) -> None:
    async def tell(request: BytesValue, call: Call) -> BytesValue:
        await call.context.send_initial_metadata((("x-initial", "i"),))
        return request

    served.unary = tell
    call = served.call(b"after")
    assert (await call.initial_metadata())["x-initial"] == "i"
    assert (await call).value == b"after"


async def test_initial_metadata_of_a_stream_comes_with_its_first_message_and_loses_none(served: Scripted) -> None:
    async def tell(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        await call.context.send_initial_metadata((("x-initial", "i"),))
        yield BytesValue(value=b"0")
        call.trailers.append(("x-trailer", "t"))
        yield BytesValue(value=b"1")

    served.stream = tell
    call = served.read()
    assert (await call.initial_metadata())["x-initial"] == "i"
    assert await values(call) == [b"0", b"1"]
    assert (await call.trailing_metadata())["x-trailer"] == "t"


async def test_an_error_brings_both_metadata(served: Scripted) -> None:
    async def tell(request: BytesValue, call: Call) -> BytesValue:
        await call.context.send_initial_metadata((("x-initial", "i"),))
        return await abort_with(grpc.StatusCode.NOT_FOUND)[0](request, call)

    served.unary = tell
    call = served.call()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert raised.value.initial_metadata()["x-initial"] == "i"
    assert raised.value.trailing_metadata()["x-trailer"] == "t"
    assert (await call.trailing_metadata())["x-trailer"] == "t"


# Statuses


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
async def test_a_status_reaches_the_caller(served: Scripted, code: grpc.StatusCode) -> None:
    served.unary, served.stream = abort_with(code)
    call = served.call()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert (raised.value.code(), raised.value.details()) == (code, "Why: ü.")
    assert (await call.code(), await call.details(), call.done()) == (code, "Why: ü.", True)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL], ids=lambda code: code.name)
async def test_a_status_ends_a_stream_after_the_messages_before_it(served: Scripted, code: grpc.StatusCode) -> None:
    served.unary, served.stream = abort_with(code)
    call = served.read(b"first")
    assert (await call.read()).value == b"first"
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert (raised.value.code(), raised.value.trailing_metadata()["x-trailer"]) == (code, "t")
    assert (await call.code(), await call.details()) == (code, "Why: ü.")
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()


async def test_a_handler_may_end_with_the_status_cancelled(served: Scripted) -> None:
    served.unary, served.stream = abort_with(grpc.StatusCode.CANCELLED)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await served.call()
    assert raised.value.code() is grpc.StatusCode.CANCELLED
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await values(served.read())
    assert raised.value.code() is grpc.StatusCode.CANCELLED


async def test_details_of_an_error_reach_the_caller_whole(served: Scripted) -> None:
    error = GatewayError(
        ErrorReason.ERROR_REASON_RATE_LIMITED, "Slow down.", {"limit": "5"}, retry_after_s=1.5, fields=(("n", "Too many."),)
    )

    async def fail(request: BytesValue, call: Call) -> BytesValue:
        raise error

    served.unary = fail
    served.interceptors = [Errors(Redaction().text)]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await served.call()
    trailers = {key: value for key, value in raised.value.trailing_metadata()}  # noqa: C416
    status = status_pb2.Status.FromString(cast(bytes, trailers["grpc-status-details-bin"]))
    info, retry, fields = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
    assert [detail.Unpack(kind) for detail, kind in zip(status.details, (info, retry, fields), strict=True)] == [True] * 3
    assert (raised.value.code(), status.message) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Slow down.")
    assert (info.reason, info.domain, info.metadata["limit"]) == ("RATE_LIMITED", "trunkline", "5")
    assert retry.retry_delay.ToMilliseconds() == 1500
    assert fields.field_violations[0].field == "n"


@pytest.mark.parametrize("method", ["Nothing", "Unary/More"])
async def test_a_method_that_nobody_serves_is_unimplemented(served: Scripted, method: str) -> None:
    for name in (f"/{SERVICE}/{method}", f"/tests.Nobody/{method}"):
        assert await code_of(served.call(method=name)) is grpc.StatusCode.UNIMPLEMENTED
        assert await code_of(served.read(method=name)) is grpc.StatusCode.UNIMPLEMENTED


async def fail_unary(request: BytesValue, call: Call) -> BytesValue:
    raise ValueError("sk-very-secret")


async def fail_stream(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
    yield request
    raise ValueError("sk-very-secret")


async def test_an_exception_without_a_reason_is_unknown(served: Scripted) -> None:
    served.unary, served.stream = fail_unary, fail_stream
    assert await code_of(served.call()) is grpc.StatusCode.UNKNOWN
    assert await code_of(served.read()) is grpc.StatusCode.UNKNOWN


async def test_an_exception_is_internal_and_says_nothing_behind_the_interceptor_for_errors(served: Scripted) -> None:
    served.unary, served.stream = fail_unary, fail_stream
    served.interceptors = [Errors(Redaction().text)]
    for call in (served.call(), served.read()):
        assert await code_of(call) is grpc.StatusCode.INTERNAL
        assert await call.details() == INTERNAL_TEXT


# Interceptors


async def test_interceptors_are_entered_and_left_in_one_order(served: Scripted) -> None:
    await served.call(metadata=(("x-from", "me"),))
    assert served.log == [
        f"first enters {UNARY} of me",
        f"outer enters {UNARY} of me",
        f"inner enters {UNARY} of me",
        "inner leaves",
        "outer leaves",
        "first leaves",
    ]


async def test_interceptors_stay_around_a_stream_to_its_end(served: Scripted) -> None:
    async def stream(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        for number in range(2):
            served.log.append(f"message {number}")
            yield request

    served.stream = stream
    await values(served.read())
    entered = [f"{name} enters {STREAM} of nobody" for name in ("first", "outer", "inner")]
    left = [f"{name} leaves" for name in ("inner", "outer", "first")]
    assert served.log == [*entered, "message 0", "message 1", *left]


async def test_interceptors_see_an_exception_from_the_inside_out(served: Scripted) -> None:
    served.unary, served.stream = fail_unary, fail_stream
    expected = [f"{name} sees ValueError" for name in ("inner", "outer", "first")]
    await code_of(served.call())
    assert served.log[3:] == expected
    served.log.clear()
    await code_of(served.read())
    assert served.log[3:] == expected


# Deadlines


async def test_the_handler_sees_how_much_time_is_left(served: Scripted) -> None:
    left: list[float | None] = []

    async def look(request: BytesValue, call: Call) -> BytesValue:
        left.append(call.context.time_remaining())
        return request

    served.unary = look
    await served.call(timeout=60)
    await served.call()
    assert left[0] is not None
    assert 0 < left[0] < 61  # gRPC rounds up
    assert left[1] is None


async def test_a_deadline_ends_the_call_and_cancels_the_handler(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    call = served.call(timeout=0.1)
    assert await code_of(call) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await call.code(), call.cancelled()) == (grpc.StatusCode.DEADLINE_EXCEEDED, False)
    await waiting.has_ended()
    assert isinstance(waiting.saw, asyncio.CancelledError)


async def test_a_deadline_ends_a_stream_in_the_midst(served: Scripted) -> None:
    waiting = Waiting(before=1)
    served.stream = waiting.stream
    call = served.read(timeout=0.1)
    assert (await call.read()).value == b"0"
    assert await code_of(call.read()) is grpc.StatusCode.DEADLINE_EXCEEDED
    await waiting.has_ended()


async def test_a_deadline_ends_a_stream_that_nobody_reads(served: Scripted) -> None:
    waiting = Waiting(before=100_000)
    served.stream = waiting.stream
    call = served.read(timeout=0.1)
    await call.read()
    await waiting.has_ended()
    assert await drained(call) is grpc.StatusCode.DEADLINE_EXCEEDED


async def drained(call: StreamCall) -> grpc.StatusCode:
    """How a stream ends after what had arrived is read."""
    code = grpc.StatusCode.OK
    try:
        while await call.read() is not EOF:
            pass
    except grpc.aio.AioRpcError as error:
        code = error.code()
    except asyncio.CancelledError:
        code = grpc.StatusCode.CANCELLED
    return code


async def test_a_deadline_in_the_past_is_exceeded_at_once(served: Scripted) -> None:
    served.unary = Waiting().unary
    assert await code_of(served.call(timeout=0)) is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_deadline_leaves_no_cancellation_behind_in_the_callers_task(served: Scripted) -> None:
    served.unary = Waiting().unary
    assert await code_of(served.call(timeout=0.05)) is grpc.StatusCode.DEADLINE_EXCEEDED
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_handler_that_fails_while_its_deadline_ends_it_changes_nothing_for_the_caller(served: Scripted) -> None:
    async def fail_late(request: BytesValue, call: Call) -> BytesValue:
        try:
            await asyncio.Event().wait()
        finally:
            await fail_unary(request, call)
        return request

    served.unary = fail_late
    assert await code_of(served.call(timeout=0.05)) is grpc.StatusCode.DEADLINE_EXCEEDED
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_handler_that_answers_in_spite_of_its_deadline_changes_nothing_for_the_caller(served: Scripted) -> None:
    async def answer_anyway(request: BytesValue, call: Call) -> BytesValue:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return request
        return request

    served.unary = answer_anyway
    assert await code_of(served.call(timeout=0.05)) is grpc.StatusCode.DEADLINE_EXCEEDED
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


# Cancellation


async def test_cancelling_a_call_cancels_its_handler_and_whoever_awaits_it(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    call = served.call()
    task = asyncio.ensure_future(code_of(call))
    await waiting.has_begun()
    assert call.cancel()
    assert await task is grpc.StatusCode.CANCELLED
    await waiting.has_ended()
    assert isinstance(waiting.saw, asyncio.CancelledError)
    assert (call.cancelled(), call.done(), await call.code()) == (True, True, grpc.StatusCode.CANCELLED)
    assert not call.cancel()


async def test_cancelling_a_call_leaves_no_cancellation_behind_in_the_task_that_awaits_it(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    call = served.call()

    async def wait() -> int:
        assert await code_of(call) is grpc.StatusCode.CANCELLED
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    task = asyncio.ensure_future(wait())
    await waiting.has_begun()
    call.cancel()
    assert await task == 0


async def test_cancelling_the_task_that_awaits_cancels_the_handler(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    call = served.call()

    async def wait() -> None:
        await call

    task = asyncio.ensure_future(wait())
    await waiting.has_begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await waiting.has_ended()
    assert (task.cancelled(), task.cancelling()) == (True, 1)
    assert (await call.code(), call.cancelled()) == (grpc.StatusCode.CANCELLED, True)


async def test_a_timeout_around_a_call_cancels_the_handler(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await served.call()
    await waiting.has_ended()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_timeout_around_the_reading_of_a_stream_cancels_the_handler(served: Scripted) -> None:
    waiting = Waiting(before=1)
    served.stream = waiting.stream
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await values(served.read())
    await waiting.has_ended()


async def test_cancelling_a_stream_before_its_first_message_cancels_the_handler(served: Scripted) -> None:
    waiting = Waiting()
    served.stream = waiting.stream
    call = served.read()
    task = asyncio.ensure_future(code_of(call))
    await waiting.has_begun()
    assert call.cancel()
    assert await task is grpc.StatusCode.CANCELLED
    await waiting.has_ended()
    assert isinstance(waiting.saw, asyncio.CancelledError)


async def test_cancelling_a_stream_in_the_midst_cancels_the_handler(served: Scripted) -> None:
    waiting = Waiting(before=2)
    served.stream = waiting.stream
    call = served.read()
    task = asyncio.ensure_future(drained(call))
    await waiting.has_begun()
    call.cancel()
    assert await task is grpc.StatusCode.CANCELLED
    await waiting.has_ended()
    assert "inner is cancelled" in served.log


async def test_cancelling_a_stream_that_nobody_reads_ends_the_handler(served: Scripted) -> None:
    waiting = Waiting(before=100_000)
    served.stream = waiting.stream
    call = served.read()
    await call.read()
    assert call.cancel()
    await waiting.has_ended()
    assert (await call.code(), call.cancelled()) == (grpc.StatusCode.CANCELLED, True)


async def test_nothing_comes_from_a_cancelled_stream(served: Scripted) -> None:
    call = served.read()
    await call.read()
    call.cancel()
    assert await drained(call) is grpc.StatusCode.CANCELLED


# What runs ahead


async def test_a_slow_reader_slows_the_servicer(served: Scripted) -> None:
    sent: list[int] = []

    async def rush(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        for number in range(1000):
            sent.append(number)
            yield BytesValue(value=bytes(100_000))

    served.stream = rush
    call = served.read()
    for _ in range(3):
        await call.read()
    for _ in range(50):
        await served.call()
    ahead = len(sent) - 3
    assert ahead == 0 if served.kind == "in process" else ahead < 500
    call.cancel()


async def test_a_stream_whose_caller_leaves_without_reading_it_is_closed(served: Scripted) -> None:
    sys.set_asyncgen_hooks(firstiter=None, finalizer=None)  # in a gateway, too, the loop does not close what is forgotten
    closed = asyncio.Event()

    async def rush(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        try:
            while True:
                yield BytesValue(value=bytes(100_000))
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            closed.set()

    served.stream = rush
    call = served.read()
    await call.read()
    for _ in range(50):
        await served.call()
    call.cancel()
    async with asyncio.timeout(10):
        await closed.wait()


# The end


async def test_who_waits_for_the_end_of_a_call_is_told_once(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    told: list[object] = []
    call = served.call()
    call.add_done_callback(told.append)
    task = asyncio.ensure_future(code_of(call))
    await waiting.has_begun()
    assert (told, call.done()) == ([], False)
    waiting.proceed.set()
    await task
    assert told == [call]


async def test_who_asks_after_the_end_of_a_call_is_told_at_once(served: Scripted) -> None:
    told: list[object] = []
    call = served.call()
    await call
    call.add_done_callback(told.append)
    assert told == [call]


@pytest.mark.parametrize("ending", ["status", "cancel"])
async def test_who_waits_for_the_end_of_a_stream_is_told_however_it_ends(served: Scripted, ending: str) -> None:
    waiting = Waiting(before=1)
    served.stream = waiting.stream if ending == "cancel" else abort_with(grpc.StatusCode.ABORTED)[1]
    told: list[object] = []
    call = served.read()
    call.add_done_callback(told.append)
    await call.read()
    if ending == "cancel":
        call.cancel()
    await drained(call)
    assert told == [call]


async def test_calls_that_run_when_the_host_stops_get_their_grace(served: Scripted) -> None:
    waiting = Waiting()
    served.unary = waiting.unary
    task = asyncio.ensure_future(code_of(served.call()))
    await waiting.has_begun()
    stopping = asyncio.ensure_future(served.stop(30))
    waiting.proceed.set()
    assert await task is grpc.StatusCode.OK
    await stopping


@pytest.mark.parametrize("grace", [None, 0.05], ids=["without grace", "after the grace"])
async def test_calls_that_run_when_the_host_stops_are_ended(served: Scripted, grace: float | None) -> None:
    unary, stream, idle = Waiting(), Waiting(before=1), Waiting(before=100_000)
    served.unary, served.stream = unary.unary, stream.stream
    answer, reader = asyncio.ensure_future(code_of(served.call())), asyncio.ensure_future(drained(served.read()))
    await asyncio.gather(unary.has_begun(), stream.has_begun())
    served.stream = idle.stream
    unread = served.read()
    await unread.read()
    await served.stop(grace)
    assert {await answer, await reader, await drained(unread)} <= GONE
    await asyncio.gather(unary.has_ended(), stream.has_ended(), idle.has_ended())


async def test_a_stopped_host_takes_no_new_call(served: Scripted) -> None:
    await served.call()
    await served.stop(None)
    assert await code_of(served.call()) is grpc.StatusCode.UNAVAILABLE
    assert await code_of(served.read()) is grpc.StatusCode.UNAVAILABLE
