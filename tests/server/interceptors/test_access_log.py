"""One line for every call, whatever came of it, and nothing in it that is nobody's business."""

import asyncio
from typing import cast

import pytest
import structlog

from server.call import Call
from server.caller import Caller
from server.errors import GatewayError
from server.interceptors.access_log import AccessLog
from tests.server.calls import RecordingContext, call
from trunkline.v1.error_reason_pb2 import ErrorReason


class TurnedClock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append({"event": event, **fields})


def logged(made: Call, error: BaseException | None = None, stopped: bool = False) -> dict[str, object]:
    """The line of a call that ends so, after a quarter of a second."""
    clock, log = TurnedClock(), Lines()
    interceptor = AccessLog(clock, cast(structlog.typing.FilteringBoundLogger, log))
    interceptor.stopped = stopped
    interceptor.enter(made)
    clock.time_s += 0.25
    interceptor.leave(made, error)
    [line] = log.lines
    return line


def test_a_line_says_what_was_called_by_whom_and_how_long_it_took() -> None:
    made = call("/trunkline.v1.CompletionService/CreateChatCompletion")
    made.caller = Caller("app", frozenset())
    made.notes.update(model="m", provider="p", attempts=2, input_tokens=5)
    assert logged(made) == {
        "event": "call",
        "method": "/trunkline.v1.CompletionService/CreateChatCompletion",
        "code": "OK",
        "duration_s": 0.25,
        "request_id": "req_test",
        "caller": "app",
        "model": "m",
        "provider": "p",
        "attempts": 2,
        "input_tokens": 5,
    }


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (GatewayError(ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "Secret words."), "NOT_FOUND", "model_not_found"),
        (GatewayError(ErrorReason.ERROR_REASON_RATE_LIMITED, "Secret words."), "RESOURCE_EXHAUSTED", "rate_limited"),
        (asyncio.CancelledError(), "CANCELLED", None),
        (GeneratorExit(), "CANCELLED", None),
        (ValueError("Secret words."), "INTERNAL", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_a_line_says_how_a_call_failed_and_not_with_which_words(error: BaseException, code: str, reason: str | None) -> None:
    line = logged(call(), error)
    assert (line["code"], line.get("reason")) == (code, reason)
    assert "Secret" not in str(line)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()], ids=["cancelled", "closed"])
def test_a_line_says_that_the_gateway_stopped_and_not_that_the_caller_left(error: BaseException) -> None:
    line = logged(call(), error, stopped=True)
    assert (line["code"], line["reason"]) == ("UNAVAILABLE", "stopped")


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("left_s", [-1.0, 0.0, 0.002])
def test_a_line_says_that_the_deadline_passed_and_not_that_the_caller_left(stopped: bool, left_s: float) -> None:
    line = logged(call(context=RecordingContext(left_s)), asyncio.CancelledError(), stopped=stopped)
    assert (line["code"], line["reason"]) == ("DEADLINE_EXCEEDED", "deadline_exceeded")


def test_a_line_has_neither_the_key_nor_other_metadata() -> None:
    line = logged(call(metadata={"authorization": "Bearer sk-test-secret", "x-private": "words"}))
    assert "secret" not in str(line)
    assert "words" not in str(line)


def test_a_caller_that_is_not_known_has_no_name() -> None:
    assert logged(call())["caller"] == ""
