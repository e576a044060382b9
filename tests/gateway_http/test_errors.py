"""Failures that gRPC itself makes, between the front and a core elsewhere."""

import json
from pathlib import Path

import aiohttp
import pytest
from grpc import StatusCode

from gateway_http.errors import OUT_OF_REACH, from_client
from tests.end_to_end.running import KEY, config, row, run_gateway
from tests.fakes.vendor import ScriptedVendor
from trunkline_client import TrunklineError


def test_what_does_not_fit_between_front_and_core_is_too_large_and_not_tried_again() -> None:
    error = from_client(TrunklineError("Sent message larger than max", code=StatusCode.RESOURCE_EXHAUSTED))
    assert (error.kind.status, error.kind.code) == (413, "body_too_large")
    assert "x-should-retry" not in error.headers()


@pytest.mark.parametrize("reason", ["overloaded", "providers_unavailable"])
def test_what_the_core_itself_says_of_being_unavailable_is_told(reason: str) -> None:
    error = from_client(TrunklineError("The core's words.", code=StatusCode.UNAVAILABLE, reason=reason))
    assert (error.kind.code, error.message) == (reason, "The core's words.")


async def test_a_core_out_of_reach_is_told_without_its_address_and_logged_with_it(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    async with ScriptedVendor() as vendor:
        rows = [row("first", vendor, ["gpt-4o"])]
        document = config(rows, logging={"level": "WARNING", "file": str(log)})
        async with run_gateway(tmp_path, document, "split") as running:
            await running.gateways[0].stop(0)
            async with (
                aiohttp.ClientSession(running.url, headers={"Authorization": f"Bearer {KEY}"}) as http,
                http.get("/v1/models") as response,
            ):
                body = await response.json()
                assert (response.status, response.headers["x-should-retry"]) == (503, "true")
    assert (body["error"]["code"], body["error"]["message"]) == ("overloaded", OUT_OF_REACH)
    assert "127.0.0.1" not in str(body)
    [line] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if "core_out_of_reach" in line]
    assert (line["level"], line["request_id"]) == ("warning", body["request_id"])
    assert running.target in line["error"]
