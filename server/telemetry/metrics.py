"""Metrics, as Prometheus scrapes them: read when they are asked for, and never while a completion runs.

No label has anything in it that a caller or a configuration could have written, so that there is no secret in what comes out
and their number stays small.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Values = Mapping[tuple[str, ...], float]
"""By the values of the labels, in their order."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """What a scraper gets.

    Attributes:
        content_type: for the header of that name.
        text: all metrics.
    """

    content_type: str
    text: str


class Metrics:
    """The metrics of this process.

    Args:
        registry: has them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._awaited: list[_Awaited] = []

    def add(self, kind: Literal["gauge", "counter"], name: str, text: str, read: Callable[[], float]) -> None:
        """Adds a metric without labels.

        Args:
            kind: a counter only grows.
            name: a counter's ends with `_total`.
            text: what it is, for a reader.
            read: gives its value; cheap, and raises not.
        """
        self._registry.register(_Collected(kind, name, text, (), lambda: {(): read()}))

    def add_awaited(
        self,
        kind: Literal["gauge", "counter"],
        name: str,
        text: str,
        labels: Sequence[str],
        read: Callable[[], Awaitable[Values]],
    ) -> None:
        """Adds a metric that has to be asked for elsewhere, at each export; arguments as for `add`."""
        awaited = _Awaited(read)
        self._awaited.append(awaited)
        self._registry.register(_Collected(kind, name, text, labels, lambda: awaited.values))

    async def export(self, openmetrics: bool) -> Exposition:
        """Writes them all, in Prometheus' own form or as OpenMetrics."""
        for awaited in self._awaited:
            awaited.values = await awaited.read()
        if openmetrics:
            return Exposition(OPENMETRICS_TYPE, generate_openmetrics(self._registry).decode())  # type: ignore[no-untyped-call]
        return Exposition(CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry).decode())


@dataclass(slots=True)
class _Awaited:
    """What was read last of a metric that has to be asked for."""

    read: Callable[[], Awaitable[Values]]
    values: Values = field(default_factory=dict)


class _Collected(Collector):
    """One metric, in the library's terms."""

    def __init__(
        self,
        kind: Literal["gauge", "counter"],
        name: str,
        text: str,
        labels: Sequence[str],
        read: Callable[[], Values],
    ) -> None:
        self._family = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily
        self._name = name
        self._text = text
        self._labels = labels
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Its name, so that no two have the same."""
        yield self._family(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        """Its values."""
        family = self._family(self._name, self._text, labels=self._labels)
        for labels, value in self._read().items():
            family.add_metric(labels, value)
        yield family
