"""How the gateway and its providers do."""

from collections.abc import AsyncIterator, Iterator
from typing import Unpack

from trunkline.v1.metrics_service_pb2 import (
    ExportPrometheusRequest,
    ExportPrometheusResponse,
    GetHealthRequest,
    Health,
    ListProvidersRequest,
    PrometheusFormat,
    Provider,
)
from trunkline_client.calls import Options
from trunkline_client.completion_records import AsyncCompletionRecords, CompletionRecords


class AsyncMetrics(AsyncCompletionRecords):
    """Tells how the gateway does.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     health = await client.metrics.get_health()
    ...     providers = [provider.id async for provider in client.metrics.list_providers()]
    >>> health.status
    'healthy'
    >>> providers
    ['echo', 'openai']
    """

    async def get_health(self, **options: Unpack[Options]) -> Health:
        """Tells whether the gateway works, and with how many providers. Needs no key.

        Raises:
            TrunklineError: the call failed.
        """
        return (await self._ask(self._stub.GetHealth, GetHealthRequest(), options)).health

    def list_providers(
        self, *, provider_type: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> AsyncIterator[Provider]:
        """Lists the providers in the order in which they are tried, getting page after page as they are needed.

        Args:
            provider_type: only those of this type. Empty: all.
            page_size: the most providers in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListProvidersRequest(page_size=page_size, type=provider_type)
        return self._all(self._stub.ListProviders, request, lambda page: page.providers, options)

    async def export_prometheus(self, *, openmetrics: bool = False, **options: Unpack[Options]) -> ExportPrometheusResponse:
        """Writes all metrics as Prometheus reads them: of the process that answers, since it started.

        Args:
            openmetrics: as OpenMetrics; else in Prometheus' own text format.

        Raises:
            TrunklineError: the call failed.
        """
        request = _export_request(openmetrics)
        return await self._ask(self._stub.ExportPrometheus, request, options)


class Metrics(CompletionRecords):
    """Tells how the gateway does, to threads. As `AsyncMetrics`."""

    def get_health(self, **options: Unpack[Options]) -> Health:
        """Tells whether the gateway works, and with how many providers."""
        return self._ask(self._stub.GetHealth, GetHealthRequest(), options).health

    def list_providers(
        self, *, provider_type: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> Iterator[Provider]:
        """Lists the providers in the order in which they are tried."""
        request = ListProvidersRequest(page_size=page_size, type=provider_type)
        return self._all(self._stub.ListProviders, request, lambda page: page.providers, options)

    def export_prometheus(self, *, openmetrics: bool = False, **options: Unpack[Options]) -> ExportPrometheusResponse:
        """Writes all metrics as Prometheus reads them: of the process that answers, since it started."""
        request = _export_request(openmetrics)
        return self._ask(self._stub.ExportPrometheus, request, options)


def _export_request(openmetrics: bool) -> ExportPrometheusRequest:
    written = PrometheusFormat.PROMETHEUS_FORMAT_OPENMETRICS if openmetrics else PrometheusFormat.PROMETHEUS_FORMAT_TEXT
    return ExportPrometheusRequest(format=written)
