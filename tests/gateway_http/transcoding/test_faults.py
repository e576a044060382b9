"""Trouble made on purpose, as operators make it: over REST and over gRPC, against one and the same gateway."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tests.gateway_http.serving import KEY, Answer, Running, call, running
from trunkline.v1.admin_service_pb2 import (
    FAULT_SEVERITY_LOW,
    FAULT_TYPE_STALL,
    Fault,
    FaultMatch,
)
from trunkline_client import AsyncClient, InvalidRequestError, NotFoundError, TrunklineError

WEAK_KEY = "tl-completions-only"
CONFIG = f"""
    auth:
      api_keys:
        - {{key: {KEY}, name: all}}
        - {{key: {WEAK_KEY}, name: weak, roles: [completion]}}
    providers:
      - {{name: echo, type: echo, models: [echo]}}
    chaos_engineering:
      enabled: false
      faults:
        - type: "delay"
          severity: "medium"
          probability: 0.1
          duration_ms: 500
        - type: "error"
          severity: "low"
          probability: 0.05
          error_code: 503
          error_message: "Simulated provider error"
"""

Json = dict[str, object]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway whose configuration has two faults and does not enable them."""
    async with running(tmp_path, CONFIG) as started:
        yield started


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(f"127.0.0.1:{gateway.grpc_port}", api_key=KEY) as opened:
        yield opened


async def create(gateway: Running, fault: Json, fault_id: str = "") -> Answer:
    return await call(gateway.port, "POST", f"/v1/faults?fault_id={fault_id}" if fault_id else "/v1/faults", fault)


async def listed(gateway: Running) -> list[Json]:
    answer = await call(gateway.port, "GET", "/v1/faults")
    assert answer.status == 200, answer.body
    return cast(list[Json], answer.json()["faults"])


async def test_configured_faults_are_listed_and_do_nothing_until_they_are_enabled(gateway: Running) -> None:
    delay, error = await listed(gateway)
    create_time = delay.pop("create_time")
    assert delay == {
        "name": "faults/configured-1",
        "type": "delay",
        "severity": "medium",
        "probability": 0.1,
        "duration": 0.5,
        "match": {"provider": "", "model": "", "key": "", "percentage": 100},
        "configured": True,
        "active": False,
        "match_count": 0,
        "hit_count": 0,
    }
    assert datetime.fromisoformat(cast(str, create_time)).utcoffset() == timedelta()
    assert (error["error_code"], error["error_message"]) == (503, "Simulated provider error")


async def test_a_fault_is_made_listed_and_ended(gateway: Running) -> None:
    asked: Json = {
        "type": "cut_stream",
        "severity": "high",
        "probability": 1,
        "after_chunks": 3,
        "error_message": "Gone.",
        "match": {"provider": "echo", "model": "ec*", "key": "weak", "percentage": 12.5},
        "expire_after": 90,
    }
    answer = await create(gateway, asked, "game-day")
    assert answer.status == 200, answer.body
    made = answer.json()
    times = [datetime.fromisoformat(cast(str, made.pop(name))) for name in ("create_time", "expire_time")]
    assert times[1] - times[0] == timedelta(seconds=90)
    del asked["expire_after"]
    counts: Json = {"match_count": 0, "hit_count": 0}
    assert made == {**asked, **counts, "name": "faults/game-day", "configured": False, "active": True}

    assert [fault["name"] for fault in await listed(gateway)][2:] == ["faults/game-day"]
    ended = await call(gateway.port, "DELETE", "/v1/faults/game-day")
    assert (ended.status, ended.json()) == (200, {})
    assert len(await listed(gateway)) == 2
    again = await call(gateway.port, "DELETE", "/v1/faults/game-day")
    assert (again.status, again.error["code"]) == (404, "not_found")


async def test_a_fault_has_defaults_and_a_name_of_its_own(gateway: Running) -> None:
    made = (await create(gateway, {"type": "rate_limit"})).json()
    assert (made["name"], made["severity"], made["probability"]) == ("faults/rate-limit-1", "low", 0.1)
    assert "expire_time" not in made


async def test_a_fault_may_end_as_late_as_time_goes(gateway: Running) -> None:
    for time in ("2700-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"):
        assert (await create(gateway, {"type": "reset", "expire_time": time})).json()["expire_time"] == time
    assert (await create(gateway, {"type": "reset", "expire_time": "9999-12-31T23:59:59.999999999Z"})).status == 200


@pytest.mark.parametrize("seconds", [-(2**63), 253_402_300_800, 2**63 - 1])
async def test_a_time_that_is_none_is_refused(client: AsyncClient, seconds: int) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        await client.admin.create_fault(Fault(type=FAULT_TYPE_STALL, expire_time=Timestamp(seconds=seconds)))
    assert raised.value.metadata["param"] == "expire_time"


async def test_an_id_is_taken_once(gateway: Running) -> None:
    assert (await create(gateway, {"type": "reset"}, "mine")).status == 200
    answer = await create(gateway, {"type": "stall"}, "mine")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (409, "already_exists", "fault_id")


async def test_faults_are_paged(gateway: Running) -> None:
    first = (await call(gateway.port, "GET", "/v1/faults?page_size=1")).json()
    token = first["next_page_token"]
    second = (await call(gateway.port, "GET", f"/v1/faults?page_size=1&page_token={token}")).json()
    assert [cast(list[Json], page["faults"])[0]["type"] for page in (first, second)] == ["delay", "error"]
    assert second["next_page_token"] == ""


async def test_a_fault_that_ends_between_two_pages_hides_no_other(gateway: Running) -> None:
    await create(gateway, {"type": "reset"}, "mine")
    first = (await call(gateway.port, "GET", "/v1/faults?page_size=1")).json()
    assert (await call(gateway.port, "DELETE", "/v1/faults/configured-1")).status == 200
    second = (await call(gateway.port, "GET", f"/v1/faults?page_token={first['next_page_token']}")).json()
    assert [fault["name"] for fault in cast(list[Json], second["faults"])] == ["faults/configured-2", "faults/mine"]


FAULTS: dict[str, tuple[Json, str]] = {
    "no type": ({}, "type"),
    "a type that is none": ({"type": "flood"}, "type"),
    "an unspecified type": ({"type": "unspecified"}, "type"),
    "a severity that is none": ({"type": "reset", "severity": "grave"}, "severity"),
    "more than sure": ({"type": "reset", "probability": 1.5}, "probability"),
    "less than never": ({"type": "reset", "probability": -0.1}, "probability"),
    "a negative duration": ({"type": "delay", "duration": -1}, "duration"),
    "a duration that is none": ({"type": "delay", "duration": "1s"}, "duration"),
    "a duration without end": ({"type": "delay", "duration": 1e10}, "duration"),
    "no status of an error": ({"type": "error", "error_code": 200}, "error_code"),
    "an empty message": ({"type": "error", "error_message": ""}, "error_message"),
    "a long message": ({"type": "error", "error_message": "x" * 1001}, "error_message"),
    "fewer than no chunks": ({"type": "stall", "after_chunks": -1}, "after_chunks"),
    "no share at all": ({"type": "reset", "match": {"percentage": 0}}, "match.percentage"),
    "more than all": ({"type": "reset", "match": {"percentage": 101}}, "match.percentage"),
    "a provider that is none": ({"type": "reset", "match": {"provider": "a b"}}, "match.provider"),
    "a model that is none": ({"type": "reset", "match": {"model": "[a]"}}, "match.model"),
    "a key that is none": ({"type": "reset", "match": {"key": "k" * 65}}, "match.key"),
    "no time at all": ({"type": "reset", "expire_after": 0}, "expire_after"),
    "more than a day": ({"type": "reset", "expire_after": 86_401}, "expire_after"),
    "a time that has passed": ({"type": "reset", "expire_time": "2020-01-01T00:00:00Z"}, "expire_time"),
    "two ends": ({"type": "reset", "expire_after": 1, "expire_time": "2999-01-01T00:00:00Z"}, "expire_after"),
    "an unknown field": ({"type": "reset", "colour": "red"}, "colour"),
}


@pytest.mark.parametrize(("fault", "param"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_that_makes_no_sense_is_refused_with_its_field(gateway: Running, fault: Json, param: str) -> None:
    answer = await create(gateway, fault)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_request", param)
    assert param in cast(str, answer.error["message"])


@pytest.mark.parametrize("fault_id", ["Mine", "-a", "a-", "a_b", "1a", "a" * 64, "configured-3", "%C3%A4"])
async def test_an_id_that_is_none_is_refused(gateway: Running, fault_id: str) -> None:
    answer = await create(gateway, {"type": "reset"}, fault_id)
    assert (answer.status, answer.error["param"]) == (400, "fault_id")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/faults"), ("POST", "/v1/faults"), ("DELETE", "/v1/faults/a")])
async def test_a_key_for_completions_alone_makes_no_trouble(gateway: Running, method: str, path: str) -> None:
    body = {"type": "reset"} if method == "POST" else None
    for key, status in ((WEAK_KEY, 403), (None, 401)):
        assert (await call(gateway.port, method, path, body, key=key)).status == status


async def test_the_client_does_the_same(client: AsyncClient) -> None:
    fault = Fault(
        type=FAULT_TYPE_STALL, duration=Duration(seconds=2), expire_after=Duration(seconds=60), match=FaultMatch(key="all")
    )
    made = await client.admin.create_fault(fault)
    assert (made.name, made.severity, made.duration.seconds, made.match.key) == (
        "faults/stall-1",
        FAULT_SEVERITY_LOW,
        2,
        "all",
    )
    assert made.expire_time.ToMilliseconds() - made.create_time.ToMilliseconds() == 60_000
    names = [known.name async for known in client.admin.list_faults(page_size=2)]
    assert names == ["faults/configured-1", "faults/configured-2", "faults/stall-1"]
    await client.admin.delete_fault(made.name)
    await client.admin.delete_fault("faults/configured-1")
    assert [known.name async for known in client.admin.list_faults()] == ["faults/configured-2"]


async def test_the_client_tells_what_is_wrong(client: AsyncClient) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await client.admin.create_fault(Fault(type=FAULT_TYPE_STALL, probability=2))
    assert refused.value.metadata["param"] == "probability"
    with pytest.raises(TrunklineError) as unknown:
        await client.admin.create_fault(Fault(type=99))  # type: ignore[arg-type]
    assert unknown.value.metadata["param"] == "type"
    with pytest.raises(InvalidRequestError):
        await client.admin.delete_fault("game-day")
    with pytest.raises(NotFoundError):
        await client.admin.delete_fault("faults/game-day")
