"""The RPCs that the gateway serves over REST: their answers, their parameters, and who may ask."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from tests.gateway_http.serving import KEY, Running, call, running

WEAK_KEY = "tl-completions-only"
CONFIG = f"""
    auth:
      api_keys:
        - {{key: {KEY}, name: all}}
        - {{key: {WEAK_KEY}, name: weak, roles: [completion]}}
    telemetry: {{enabled: true}}
    providers:
      - {{name: echo, type: echo, models: [echo, parrot], priority: 2}}
      - {{name: first, type: openai, api_key: sk-nothing-00, models: [gpt-4o], priority: 1}}
      - {{name: off, type: openai, api_key: sk-nothing-00, models: [gpt-4o], priority: 3, enabled: false}}
      - {{name: keyless, type: anthropic, models: [claude], priority: 4}}
"""

Json = dict[str, object]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with providers in every state, and a configuration that has something to remark."""
    async with running(tmp_path, CONFIG) as started:
        yield started


async def get(gateway: Running, path: str, key: str | None = KEY) -> Json:
    answer = await call(gateway.port, "GET", path, key=key)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def rows(body: Json, name: str) -> list[Json]:
    return cast(list[Json], body[name])


async def test_health_is_told_to_everyone(gateway: Running) -> None:
    body = await get(gateway, "/health", key=None)
    assert set(body) == {"status", "version", "uptime", "providers", "timestamp"}
    assert body["status"] == "degraded"
    assert body["providers"] == {"total": 4, "healthy": 2, "degraded": 0, "unhealthy": 1, "disabled": 1}
    assert abs(cast(float, body["timestamp"]) - time.time()) < 3600


async def test_providers_come_in_the_order_in_which_they_are_tried(gateway: Running) -> None:
    body = await get(gateway, "/providers", key=WEAK_KEY)
    assert set(body) == {"providers", "next_page_token"}
    assert [row["id"] for row in rows(body, "providers")] == ["first", "echo", "off", "keyless"]
    assert [row["status"] for row in rows(body, "providers")] == ["healthy", "healthy", "disabled", "unhealthy"]
    assert rows(body, "providers")[1] == {
        "name": "providers/echo",
        "id": "echo",
        "type": "echo",
        "status": "healthy",
        "enabled": True,
        "forced": False,
        "priority": 2,
        "models": ["echo", "parrot"],
        "capabilities": ["chat", "embeddings", "images", "text"],
    }


async def test_providers_are_filtered_and_paged(gateway: Running) -> None:
    assert [row["id"] for row in rows(await get(gateway, "/providers?type=openai"), "providers")] == ["first", "off"]
    seen: list[object] = []
    token = ""
    for _ in range(4):
        body = await get(gateway, f"/providers?page_size=1&page_token={token}")
        seen += [row["id"] for row in rows(body, "providers")]
        token = cast(str, body["next_page_token"])
    assert (seen, token) == (["first", "echo", "off", "keyless"], "")


async def test_the_configuration_in_force_is_told(gateway: Running) -> None:
    body = await get(gateway, "/v1/config/status")
    assert (body["status"], body["providers_configured"], body["generation"]) == ("valid", 4, 1)
    assert abs(cast(float, body["last_loaded"]) - time.time()) < 3600
    assert cast(float, body["load_time_ms"]) > 0
    assert cast(int, body["file_size_bytes"]) > 100
    assert body["validation_errors"] == []
    assert body["warnings"]


async def test_alerts_are_told_with_their_severity(gateway: Running) -> None:
    body = await get(gateway, "/v1/alerts")
    alerts = rows(body, "alerts")
    assert {cast(str, alert["severity"]) for alert in alerts} <= {"info", "warning"}
    for alert in alerts:
        assert set(alert) == {"name", "rule", "severity", "message", "start_time", "labels"}
        assert datetime.fromisoformat(cast(str, alert["start_time"])).utcoffset() is not None
        assert cast(str, alert["start_time"]).endswith("Z")
        assert "path" in cast(Json, alert["labels"])


async def test_alerts_are_filtered_by_severity(gateway: Running) -> None:
    alerts = rows(await get(gateway, "/v1/alerts"), "alerts")
    assert alerts
    for severity in ("info", "warning", "error", "critical"):
        found = rows(await get(gateway, f"/v1/alerts?severity={severity}"), "alerts")
        assert found == [alert for alert in alerts if alert["severity"] == severity]


FAULTS = {
    "/v1/alerts?severity=grave": "severity",
    "/v1/alerts?severity=WARNING": "severity",
    "/v1/alerts?colour=red": "colour",
    "/v1/alerts?page_size=ten": "page_size",
    "/v1/alerts?page_size=4294967296": "page_size",
    "/v1/alerts?page_size=-1": "page_size",
    "/v1/alerts?page_token=x": "page_token",
    "/v1/config/status?verbose=true": "verbose",
    "/health?deep=1": "deep",
    "/providers?type=echo&limit=3": "limit",
}


@pytest.mark.parametrize(("path", "param"), FAULTS.items(), ids=FAULTS)
async def test_a_parameter_that_does_not_fit_is_refused(gateway: Running, path: str, param: str) -> None:
    answer = await call(gateway.port, "GET", path)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_request", param)


@pytest.mark.parametrize("path", ["/providers", "/v1/config/status", "/v1/alerts", "/v1/models", "/v1/models/echo"])
async def test_without_a_key_that_is_known_nothing_is_told(gateway: Running, path: str) -> None:
    for key in (None, "wrong"):
        answer = await call(gateway.port, "GET", path, key=key)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("path", ["/v1/config/status", "/v1/alerts"])
async def test_a_key_for_completions_alone_may_not_ask_about_the_gateway(gateway: Running, path: str) -> None:
    answer = await call(gateway.port, "GET", path, key=WEAK_KEY)
    assert (answer.status, answer.error["code"]) == (403, "insufficient_permissions")
