"""`GET /completion_requests`: completions one by one, as a dashboard of response times reads them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import cast

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.errors import HttpError
from gateway_http.surfaces.completion_requests import MOST, completion_request, ended, read_time
from tests.gateway_http.serving import CHAT, Answer, Running, call, chat
from trunkline.v1.completion_record_pb2 import CompletionRecord, CompletionStatus

PATH = "/completion_requests"


def entries(answer: Answer) -> list[dict[str, object]]:
    assert answer.status == 200
    return cast(list[dict[str, object]], json.loads(answer.body))


def test_a_completion_has_the_fields_of_the_document() -> None:
    record = CompletionRecord(
        begin_time=Timestamp(seconds=1_705_314_600, nanos=999_000_000),
        time_to_first_token=Duration(nanos=150_400_000),
        time_to_last_token=Duration(seconds=2, nanos=500_000_000),
        streamed=True,
        status=CompletionStatus.COMPLETION_STATUS_COMPLETED,
        message_count=5,
        input_tokens=100,
        output_tokens=50,
        total_tokens=150,
    )
    assert completion_request(record) == {
        "timestamp": "2024-01-15T10:30:00",
        "time_to_first_token_ms": 150,
        "time_to_last_token_ms": 2500,
        "is_streaming": True,
        "success": True,
        "message_count": 5,
        "prompt_tokens": 100,
        "tokens": {"total": 150, "prompt": 100, "completion": 50},
    }


def test_what_is_not_known_is_null() -> None:
    written = completion_request(CompletionRecord(status=CompletionStatus.COMPLETION_STATUS_FAILED))
    assert (written["success"], written["time_to_first_token_ms"], written["time_to_last_token_ms"]) == (False, None, None)
    assert (written["prompt_tokens"], written["tokens"]) == (None, {"total": None, "prompt": None, "completion": None})


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2024-01-15T10:00:00", 10),
        ("2024-01-15T10:00:00Z", 10),
        ("2024-01-15T10:00:00.000000", 10),
        ("2024-01-15T10:00:00+02:00", 8),
        ("2024-01-15", 0),
    ],
)
def test_a_time_is_utcs_where_it_has_no_zone(text: str, hour: int) -> None:
    assert read_time(text, "start") == datetime(2024, 1, 15, hour, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "now", "1705314600.5", "2024-13-01", "0001-01-01T00:00:00+23:00", "1969-12-31", "\0"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(HttpError) as raised:
        read_time(text, "end")
    assert (raised.value.kind.status, raised.value.param) == (400, "end")


async def test_running_ones_are_left_out_and_there_is_an_end() -> None:
    async def records() -> AsyncIterator[CompletionRecord]:
        yield CompletionRecord(model="0", status=CompletionStatus.COMPLETION_STATUS_RUNNING)
        for number in range(1, 2 * MOST):
            yield CompletionRecord(model=str(number), status=CompletionStatus.COMPLETION_STATUS_CANCELLED)

    found = [record.model async for record in ended(records())]
    assert (found[0], found[-1], len(found)) == ("1", str(MOST), MOST)


async def test_completions_are_there_the_newest_first(gateway: Running) -> None:
    for words in ("one", "one two"):
        question = chat(messages=[{"role": "user", "content": words}])
        assert (await call(gateway.port, "POST", CHAT, question)).status == 200
    listed = entries(await call(gateway.port, "GET", PATH))
    assert [each["tokens"] for each in listed] == [
        {"total": 4, "prompt": 2, "completion": 2},
        {"total": 2, "prompt": 1, "completion": 1},
    ]
    assert [(each["success"], each["is_streaming"], each["message_count"]) for each in listed] == [(True, False, 1)] * 2


async def test_start_and_end_bound_the_list(gateway: Running) -> None:
    assert (await call(gateway.port, "POST", CHAT, chat())).status == 200
    for query, count in (
        ("start=2020-01-01T00:00:00", 1),
        ("start=2020-01-01T00:00:00&end=9999-01-01", 1),
        ("end=2020-01-01T00:00:00", 0),
        ("start=9999-01-01T00:00:00Z", 0),
        ("start=9999-01-01&end=2020-01-01", 0),
    ):
        assert (query, len(entries(await call(gateway.port, "GET", f"{PATH}?{query}")))) == (query, count)


@pytest.mark.parametrize("param", ["start", "end"])
async def test_a_bad_date_is_the_callers_fault(gateway: Running, param: str) -> None:
    answer = await call(gateway.port, "GET", f"{PATH}?{param}=yesterday")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_request", param)


async def test_nobody_sees_them_without_a_key(gateway: Running) -> None:
    answer = await call(gateway.port, "GET", PATH, key=None)
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
