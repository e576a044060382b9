"""How the gateway and its providers do."""

from collections.abc import AsyncIterator, Iterator

from trunkline.v1.metrics_service_pb2 import (
    ExportPrometheusRequest,
    ExportPrometheusResponse,
    GetHealthRequest,
    Health,
    ListProvidersRequest,
    PrometheusFormat,
    Provider,
)
from trunkline_client.calls import Metadata, ask, ask_sync, pages, pages_sync
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

    async def get_health(self, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Health:
        """Tells whether the gateway works, and with how many providers. Needs no key.

        Raises:
            TrunklineError: the call failed.
        """
        response, _ = await ask(self._stub.GetHealth, GetHealthRequest(), self._defaults, timeout_s, metadata)
        return response.health

    async def list_providers(
        self, *, provider_type: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[Provider]:
        """Lists the providers in the order in which they are tried, getting page after page as they are needed.

        Args:
            provider_type: only those of this type. Empty: all.
            page_size: the most providers in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: ask(
                self._stub.ListProviders,
                ListProvidersRequest(page_size=page_size, page_token=token, type=provider_type),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            for provider in page.providers:
                yield provider

    async def export_prometheus(
        self, *, openmetrics: bool = False, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> ExportPrometheusResponse:
        """Writes all metrics as Prometheus reads them: of the process that answers, since it started.

        Args:
            openmetrics: as OpenMetrics; else in Prometheus' own text format.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: the call failed.
        """
        request = _export_request(openmetrics)
        response, _ = await ask(self._stub.ExportPrometheus, request, self._defaults, timeout_s, metadata)
        return response


class Metrics(CompletionRecords):
    """Tells how the gateway does, to threads. As `AsyncMetrics`."""

    def get_health(self, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Health:
        """Tells whether the gateway works, and with how many providers."""
        response, _ = ask_sync(self._stub.GetHealth, GetHealthRequest(), self._defaults, timeout_s, metadata)
        return response.health

    def list_providers(
        self, *, provider_type: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Iterator[Provider]:
        """Lists the providers in the order in which they are tried."""
        for page in pages_sync(
            lambda token: ask_sync(
                self._stub.ListProviders,
                ListProvidersRequest(page_size=page_size, page_token=token, type=provider_type),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            yield from page.providers

    def export_prometheus(
        self, *, openmetrics: bool = False, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> ExportPrometheusResponse:
        """Writes all metrics as Prometheus reads them: of the process that answers, since it started."""
        request = _export_request(openmetrics)
        response, _ = ask_sync(self._stub.ExportPrometheus, request, self._defaults, timeout_s, metadata)
        return response


def _export_request(openmetrics: bool) -> ExportPrometheusRequest:
    written = PrometheusFormat.PROMETHEUS_FORMAT_OPENMETRICS if openmetrics else PrometheusFormat.PROMETHEUS_FORMAT_TEXT
    return ExportPrometheusRequest(format=written)
