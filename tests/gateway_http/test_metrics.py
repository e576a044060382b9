"""`GET /metrics/prometheus` and `GET /metrics`: the text that scrapers read, for operators' keys alone."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.gateway_http.serving import Running, call

TEXT, OPENMETRICS = "/metrics/prometheus", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1"
NAMES = {
    "trunkline_alerts_firing",
    "trunkline_budget_threshold_events",
    "trunkline_ledger_database_up",
    "trunkline_ledger_spooled_rows",
}
"""What a gateway without a Redis has."""


@pytest.mark.parametrize(
    ("path", "accept"),
    [(TEXT, ""), (TEXT, "*/*"), (TEXT, "application/json"), ("/metrics", "text/plain"), (TEXT, "text/html")],
)
async def test_prometheus_reads_its_own_format(gateway: Running, path: str, accept: str) -> None:
    answer = await call(gateway.port, "GET", path, headers={"accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert {family.name for family in parse_text(answer.body.decode())} == NAMES


@pytest.mark.parametrize("path", ["/metrics", TEXT])
async def test_who_asks_for_openmetrics_gets_it(gateway: Running, path: str) -> None:
    answer = await call(gateway.port, "GET", path, headers={"accept": OPENMETRICS})
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "application/openmetrics-text")
    families = parse_openmetrics(answer.body.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in families} == NAMES


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "text/plain;q=0"])
async def test_there_is_no_other_document_yet(gateway: Running, accept: str) -> None:
    answer = await call(gateway.port, "GET", "/metrics", headers={"accept": accept})
    assert (answer.status, answer.error["code"]) == (406, "not_acceptable")


async def test_there_is_no_document_for_a_time_yet(gateway: Running) -> None:
    answer = await call(gateway.port, "GET", "/metrics?start=1&end=2", headers={"accept": "text/plain"})
    assert (answer.status, answer.error["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("path", ["/metrics", TEXT])
async def test_without_a_key_that_is_known_no_metric_is_told(gateway: Running, path: str) -> None:
    for key in (None, "wrong"):
        answer = await call(gateway.port, "GET", path, headers={"accept": "text/plain"}, key=key)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
