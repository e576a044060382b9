"""Metrics are read when they are asked for, and Prometheus' own parsers read what is written."""

from collections.abc import Mapping

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import CollectorRegistry

from server.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


async def test_values_are_those_of_the_moment(metrics: Metrics) -> None:
    values = iter((1, 2.5))
    metrics.add("gauge", "trunkline_something", "Something.", lambda: next(values))
    assert "\ntrunkline_something 1.0\n" in (await metrics.export(False)).text
    assert "\ntrunkline_something 2.5\n" in (await metrics.export(False)).text


@pytest.mark.parametrize(("openmetrics", "media_type"), [(False, "text/plain"), (True, "application/openmetrics-text")])
async def test_parsers_read_what_is_written(metrics: Metrics, openmetrics: bool, media_type: str) -> None:
    async def read() -> Mapping[tuple[str, ...], float]:
        return {("a", 'quote " backslash \\ line \n'): 3, ("b", ""): 4}

    metrics.add("gauge", "trunkline_up", "Whether it is.", lambda: True)
    metrics.add("counter", "trunkline_events_total", "How many there were.", lambda: 7)
    metrics.add_awaited("gauge", "trunkline_labelled", "By label.", ("one", "two"), read)
    told = await metrics.export(openmetrics)
    families = list((parse_openmetrics if openmetrics else parse_text)(told.text))
    samples = {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
    assert told.content_type.partition(";")[0] == media_type
    assert samples == {
        ("trunkline_up",): 1,
        ("trunkline_events_total",): 7,
        ("trunkline_labelled", "a", 'quote " backslash \\ line \n'): 3,
        ("trunkline_labelled", "b", ""): 4,
    }
    assert [(family.name, family.type) for family in families] == [
        ("trunkline_up", "gauge"),
        ("trunkline_events", "counter"),
        ("trunkline_labelled", "gauge"),
    ]


def test_no_two_have_the_same_name(metrics: Metrics) -> None:
    metrics.add("gauge", "trunkline_up", "Whether it is.", lambda: 1)
    with pytest.raises(ValueError, match="trunkline_up"):
        metrics.add("gauge", "trunkline_up", "Whether it is.", lambda: 1)
