"""MetricsService: how the gateway and its providers do."""

from collections import Counter
from collections.abc import Callable, Sequence

from server.call import Call
from server.caller import Caller
from server.catalogue.names import serves
from server.clock import Clock
from server.config.provider_settings import ProviderSettings
from server.ledger.rows import Rows
from server.runtime import ProviderRow, Runtime
from server.services.completion_records import CompletionRecords
from server.services.pages import page
from server.services.times import duration_to_ms, timestamp_to_ms
from server.telemetry.metrics import Metrics
from server.tenancy.allowances import may_use, may_use_provider
from trunkline.v1.metrics_service_pb2 import (
    ExportPrometheusRequest,
    ExportPrometheusResponse,
    GetHealthRequest,
    GetHealthResponse,
    Health,
    ListProvidersRequest,
    ListProvidersResponse,
    PrometheusFormat,
    Provider,
    ProviderCounts,
)
from trunkline.v1.models_service_pb2 import ProviderStatus


class MetricsService(CompletionRecords):
    """Implements the contract's MetricsService.

    Args:
        runtime: gives the configuration in force.
        version: the gateway's.
        clock: tells the time.
        stopping: whether the gateway is stopping.
        metrics: what is counted.
        rows: what is written down of completions.
    """

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        version: str,
        clock: Clock,
        stopping: Callable[[], bool],
        metrics: Metrics,
        rows: Rows,
    ) -> None:
        super().__init__(rows)
        self._runtime = runtime
        self._version = version
        self._clock = clock
        self._stopping = stopping
        self._metrics = metrics
        self._start = clock.monotonic()

    async def GetHealth(self, request: GetHealthRequest, call: Call) -> GetHealthResponse:
        """Tells whether the gateway works, and with which providers."""
        counts = Counter(row.status for row in self._runtime().rows.values())
        disabled = counts[ProviderStatus.PROVIDER_STATUS_DISABLED]
        unhealthy = counts[ProviderStatus.PROVIDER_STATUS_UNHEALTHY]
        degraded = counts[ProviderStatus.PROVIDER_STATUS_DEGRADED]
        total = counts.total()
        status = "degraded" if unhealthy or degraded else "healthy"
        if self._stopping() or unhealthy == total - disabled:
            status = "unhealthy"
        now = timestamp_to_ms(self._clock.now())
        uptime = duration_to_ms(self._clock.monotonic() - self._start)
        providers = ProviderCounts(
            total=total,
            healthy=total - disabled - unhealthy - degraded,
            degraded=degraded,
            unhealthy=unhealthy,
            disabled=disabled,
        )
        health = Health(status=status, version=self._version, current_time=now, uptime=uptime, providers=providers)
        return GetHealthResponse(health=health)

    async def ListProviders(self, request: ListProvidersRequest, call: Call) -> ListProvidersResponse:
        """Lists the providers that may be asked for the caller, in the order in which they are tried."""
        runtime, caller = self._runtime(), call.caller
        places = {name: place for place, name in enumerate(runtime.rows)}
        providers = [
            _provider(row, runtime.router.priority(row.settings), caller)
            for row in runtime.rows.values()
            if may_use_provider(caller, row.settings.name) and request.type in ("", row.settings.type)
        ]
        of_page, token = page(
            providers, request, default=1000, key=lambda each: (not each.forced, each.priority, places[each.id])
        )
        return ListProvidersResponse(providers=of_page, next_page_token=token)

    async def ExportPrometheus(self, request: ExportPrometheusRequest, call: Call) -> ExportPrometheusResponse:
        """Writes all metrics as Prometheus reads them."""
        told = await self._metrics.export(request.format == PrometheusFormat.PROMETHEUS_FORMAT_OPENMETRICS)
        return ExportPrometheusResponse(content_type=told.content_type, text=told.text)


def _provider(row: ProviderRow, priority: int, caller: Caller) -> Provider:
    settings = row.settings
    return Provider(
        name=f"providers/{settings.name}",
        id=settings.name,
        type=settings.type,
        status=row.status,
        enabled=settings.enabled,
        forced=settings.forced,
        priority=priority,
        models=_models(settings, caller),
        capabilities=sorted(operation.value for operation in row.operations),
    )


def _models(settings: ProviderSettings, caller: Caller) -> Sequence[str]:
    """A provider's names and patterns of models, as far as a caller may ask for them."""
    whole = [name for name in settings.models if may_use(caller, name) or may_use(caller, f"{settings.name}/{name}")]
    return [*whole, *(name for name in caller.models if name not in whole and serves(settings, name))]
