"""What is told of completions: to whom, which of them, and what of each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec.structs import replace
from sqlalchemy import text

from server.call import Call
from server.caller import ADMIN, METRICS_READ, Caller
from server.errors import GatewayError
from server.ledger.entry import Status
from server.ledger.ledger import Ledger
from server.ledger.rows import Rows
from server.services.completion_records import CompletionRecords
from server.storage.database import Database
from tests.server.calls import call
from tests.server.ledger.entries import BEGIN, TurnedClock, intent, settlement
from trunkline.v1.completion_record_pb2 import CompletionAttempt, CompletionRecord, CompletionStatus, CostBasis
from trunkline.v1.error_reason_pb2 import ErrorReason
from trunkline.v1.metrics_service_pb2 import GetCompletionRequest, ListCompletionsRequest
from trunkline.v1.models_service_pb2 import Operation

OPERATOR = Caller("all", frozenset({ADMIN}))
READER = Caller("reader", frozenset({METRICS_READ}))
ACME = Caller("api_keys/boss", frozenset({ADMIN, METRICS_READ}), "acme", "ann", "boss")
UMBRELLA = Caller("api_keys/x", frozenset({METRICS_READ}), "umbrella", "bob", "x")
OPEN, FAILED = CompletionStatus.COMPLETION_STATUS_RUNNING, CompletionStatus.COMPLETION_STATUS_FAILED
QUESTION, ANSWER = '{"messages": []}', '{"choices": []}'
SECOND = 1_000_000
"""In microseconds."""


def by(caller: Caller) -> Call:
    """A call of somebody's."""
    made = call()
    made.caller = caller
    return made


def at(seconds: int) -> Timestamp:
    """A time, from the first completion's begin on."""
    return Timestamp(seconds=BEGIN // SECOND + seconds)


@pytest.fixture
async def records(database: Database, tmp_path: Path) -> AsyncIterator[CompletionRecords]:
    """Acme's a, and b of another model; umbrella's c, which failed at unknown cost; open: d of the configuration's key."""
    ledger = Ledger(database, TurnedClock(), "me", tmp_path / "spool")
    await ledger.recover()
    await ledger.intent(intent("a", request_body=QUESTION))
    await ledger.intent(intent("b", BEGIN + SECOND, model="small"))
    await ledger.intent(intent("c", BEGIN + 2 * SECOND, tenant_id="umbrella", user_id="bob", key_id="x"))
    await ledger.intent(intent("d", BEGIN + 3 * SECOND, tenant_id="", user_id=""))
    await ledger.settle(settlement("a", answer_body=ANSWER))
    await ledger.settle(replace(settlement("b"), exact=False))
    await ledger.settle(settlement("c", Status.FAILED, None))
    yield CompletionRecords(Rows(database, ledger.flush))
    await ledger.close()


async def listed(records: CompletionRecords, request: ListCompletionsRequest, caller: Caller = OPERATOR) -> str:
    """The ids of those that are listed."""
    found = (await records.ListCompletions(request, by(caller))).completion_records
    return "".join(record.name.removeprefix("completion_records/") for record in found)


async def get(records: CompletionRecords, id: str, caller: Caller = OPERATOR) -> CompletionRecord:
    request = GetCompletionRequest(name=f"completion_records/{id}")
    return (await records.GetCompletion(request, by(caller))).completion_record


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ListCompletionsRequest(), "dcba"),
        (ListCompletionsRequest(begin_time=at(1)), "dcb"),
        (ListCompletionsRequest(begin_time=at(1), end_time=at(3)), "cb"),
        (ListCompletionsRequest(tenant="tenants/acme"), "ba"),
        (ListCompletionsRequest(user="users/bob"), "c"),
        (ListCompletionsRequest(api_key="api_keys/key"), "ba"),
        (ListCompletionsRequest(api_key="key"), "d"),
        (ListCompletionsRequest(api_key="key", tenant="tenants/acme"), ""),
        (ListCompletionsRequest(model="small"), "b"),
        (ListCompletionsRequest(provider="openai"), "cba"),
        (ListCompletionsRequest(status=FAILED), "c"),
        (ListCompletionsRequest(status=OPEN), "d"),
        (ListCompletionsRequest(operation=Operation.OPERATION_CHAT), "dcba"),
        (ListCompletionsRequest(operation=Operation.OPERATION_UNSPECIFIED), "dcba"),
        (ListCompletionsRequest(operation=Operation.OPERATION_IMAGES), ""),
        (ListCompletionsRequest(request_id="req_b"), "b"),
    ],
    ids=str,
)
async def test_a_list_has_what_fits_the_newest_first(
    records: CompletionRecords, request_: ListCompletionsRequest, expected: str
) -> None:
    assert await listed(records, request_) == expected


async def test_pages_follow_each_other(records: CompletionRecords) -> None:
    found, token = "", ""
    for _ in range(2):
        request = ListCompletionsRequest(page_size=2, page_token=token)
        token = (await records.ListCompletions(request, by(OPERATOR))).next_page_token
        found += await listed(records, request)
    assert (found, token) == ("dcba", "")


@pytest.mark.parametrize(("caller", "expected"), [(OPERATOR, "dcba"), (READER, "dcba"), (ACME, "ba"), (UMBRELLA, "c")])
async def test_a_tenant_sees_its_own_alone(records: CompletionRecords, caller: Caller, expected: str) -> None:
    assert await listed(records, ListCompletionsRequest(), caller) == expected
    for id in "abcd":
        if id in expected:
            assert (await get(records, id, caller)).name == f"completion_records/{id}"
            continue
        with pytest.raises(GatewayError) as raised:
            await get(records, id, caller)
        assert raised.value.reason == ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND


@pytest.mark.parametrize(
    "request_",
    [
        ListCompletionsRequest(tenant="tenants/umbrella"),
        ListCompletionsRequest(user="users/bob"),
        ListCompletionsRequest(api_key="api_keys/x"),
        ListCompletionsRequest(api_key="key"),
        ListCompletionsRequest(request_id="req_c"),
    ],
    ids=str,
)
async def test_a_tenant_that_asks_for_anothers_gets_nothing(
    records: CompletionRecords, request_: ListCompletionsRequest
) -> None:
    assert await listed(records, request_, ACME) == ""


async def test_a_record_says_who_asked_what_and_what_came_of_it(records: CompletionRecords) -> None:
    record = await get(records, "a")
    assert (record.request_id, record.tenant, record.user, record.api_key) == (
        *("req_a", "tenants/acme", "users/ann"),
        "api_keys/key",
    )
    assert (record.operation, record.model, record.streamed) == (Operation.OPERATION_CHAT, "gpt-4o", True)
    assert (record.origin, record.message_count) == ("127.0.0.1", 5)
    assert dict(record.parameters) == {"temperature": 0.7, "max_tokens": 100}
    assert (record.begin_time, record.end_time) == (at(0), at(2))
    assert record.first_chunk_time == Timestamp(seconds=at(0).seconds, nanos=500_000_000)
    assert (record.time_to_first_token, record.time_to_last_token) == (Duration(nanos=500_000_000), Duration(seconds=2))
    assert (record.status, record.error_reason) == (CompletionStatus.COMPLETION_STATUS_COMPLETED, "")
    assert (record.finish_reason, record.provider, record.provider_model) == ("stop", "openai", "gpt-4o-2024")
    assert (record.input_tokens, record.cached_input_tokens, record.cache_write_tokens) == (75, 5, 3)
    assert (record.output_tokens, record.reasoning_tokens, record.total_tokens) == (75, 7, 150)
    assert record.tokens_per_second == 37.5
    assert record.performance_score == pytest.approx(0.85)
    assert (record.cost_usd_micros, record.cost_basis) == (1234, CostBasis.COST_BASIS_EXACT)
    assert list(record.attempts) == [
        CompletionAttempt(
            provider="other", model="gpt-4o", error_type="overloaded", http_status=503, latency=Duration(nanos=100_000_000)
        ),
        CompletionAttempt(
            provider="openai", model="gpt-4o-2024", http_status=200, latency=Duration(seconds=1, nanos=900_000_000)
        ),
    ]


async def test_how_sure_a_cost_is_is_said(records: CompletionRecords) -> None:
    found = [await get(records, id) for id in "abcd"]
    assert [record.cost_basis for record in found] == [
        CostBasis.COST_BASIS_EXACT,
        CostBasis.COST_BASIS_ESTIMATED,
        CostBasis.COST_BASIS_UNKNOWN,
        CostBasis.COST_BASIS_UNSPECIFIED,
    ]
    assert [record.HasField("cost_usd_micros") for record in found] == [True, True, False, False]


async def test_what_a_running_one_has_not_got_yet_is_absent(records: CompletionRecords) -> None:
    record = await get(records, "d")
    assert (record.tenant, record.user, record.api_key, record.status) == ("", "", "key", OPEN)
    fields = ("end_time", "first_chunk_time", "time_to_last_token", "input_tokens", "total_tokens", "performance_score")
    assert [name for name in fields if record.HasField(name)] == []


@pytest.mark.parametrize(
    ("caller", "bodies"), [(OPERATOR, (QUESTION, ANSWER)), (ACME, (QUESTION, ANSWER)), (READER, ("", ""))]
)
async def test_only_administrators_get_bodies(records: CompletionRecords, caller: Caller, bodies: tuple[str, str]) -> None:
    record = await get(records, "a", caller)
    assert (record.request_body, record.answer_body) == bodies
    found = (await records.ListCompletions(ListCompletionsRequest(), by(caller))).completion_records
    assert not any(record.HasField("request_body") or record.HasField("answer_body") for record in found)


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (ListCompletionsRequest(page_size=-1), "page_size"),
        (ListCompletionsRequest(page_token="7"), "page_token"),
        (ListCompletionsRequest(begin_time=Timestamp(seconds=-1)), "begin_time"),
        (ListCompletionsRequest(end_time=Timestamp(seconds=1 << 60)), "end_time"),
        (ListCompletionsRequest(tenant="acme"), "tenant"),
        (ListCompletionsRequest(user="tenants/acme"), "user"),
        (ListCompletionsRequest(api_key="api_keys/?"), "api_key"),
        (ListCompletionsRequest(api_key="\0"), "api_key"),
        (ListCompletionsRequest(model="m" * 301), "model"),
        (ListCompletionsRequest(provider="\n"), "provider"),
        (ListCompletionsRequest(request_id="\0"), "request_id"),
        (ListCompletionsRequest(status=99), "status"),  # type: ignore[arg-type]
        (ListCompletionsRequest(operation=99), "operation"),  # type: ignore[arg-type]
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused(
    records: CompletionRecords, request_: ListCompletionsRequest, param: str
) -> None:
    with pytest.raises(GatewayError) as raised:
        await listed(records, request_)
    assert raised.value.metadata == {"param": param}


@pytest.mark.parametrize("name", ["", "a", "completion_records/", "completion_records/a/b", "completion_records/A", "x/a"])
async def test_a_malformed_name_is_refused(records: CompletionRecords, name: str) -> None:
    with pytest.raises(GatewayError) as raised:
        await records.GetCompletion(GetCompletionRequest(name=name), by(OPERATOR))
    assert raised.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


async def test_while_the_database_fails_callers_are_told_to_come_again(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("ALTER TABLE completions RENAME TO gone"))
    records = CompletionRecords(Rows(database))
    for asked in (listed(records, ListCompletionsRequest()), get(records, "a")):
        with pytest.raises(GatewayError) as raised:
            await asked
        assert raised.value.reason == ErrorReason.ERROR_REASON_OVERLOADED
    async with database.begin() as connection:
        await connection.execute(text("ALTER TABLE gone RENAME TO completions"))
