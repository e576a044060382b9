"""The wiring: builds every object of the server once and hands each what it needs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import cast
from urllib.parse import unquote

import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from prometheus_client.registry import CollectorRegistry

from server.alerts.alerts import Alerts
from server.alerts.budget_alerts import BudgetAlerts
from server.alerts.listing import AlertList
from server.alerts.troubles import Troubles
from server.caller import ADMIN, COMPLETION, Caller
from server.catalogue.catalogue import Catalogue, Source
from server.catalogue.facts import FactsTable, ModelFacts
from server.catalogue.names import provider_name
from server.catalogue.selection_file import SelectionFile
from server.clock import Clock, SystemClock
from server.config import Loaded, Settings
from server.config.notice import Notice
from server.config.schema import CircuitBreakerSettings, TlsSettings
from server.config.secret_headers import is_secret
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.gate import Gate
from server.dispatch.health import Health, ProviderHealth, watch_health
from server.dispatch.means import Means
from server.dispatch.router import Router, Row, Target
from server.dispatch.standing import TargetStates
from server.dispatch.strategies import Strategy
from server.governance import Governance
from server.inprocess.channel import InProcessChannel
from server.interceptors.access_log import AccessLog
from server.interceptors.auth import Auth
from server.interceptors.chain import Host, Interceptor, Registry
from server.interceptors.errors import Errors
from server.interceptors.grpc_host import GrpcHost
from server.interceptors.request_id import RequestId
from server.ledger.estimate import usual_micros
from server.ledger.prices import Prices
from server.ledger.rows import Rows
from server.limits.unheld import require_ledger
from server.policies.chaos import Chaos
from server.policies.idempotency import Idempotency
from server.providers.base import Operation, ProviderContext
from server.providers.http.base import Http
from server.providers.http.choice import build_http
from server.providers.loader import build_provider, provider_kinds
from server.runtime import ProviderRow, Runtime
from server.services.admin import AdminService
from server.services.alerts import AlertsService, notices
from server.services.completion import CompletionService
from server.services.health import READINESS, HealthService
from server.services.metrics import MetricsService
from server.services.models import ModelsService
from server.services.reflection import add_reflection
from server.storage.database import Database
from server.telemetry.metrics import Metrics
from server.telemetry.redaction import Redaction
from server.tenancy.keys import ConfiguredKeys, StoredKeys
from server.tenancy.tenancy import Tenancy
from server.worker import find_worker_id
from trunkline.v1 import (
    admin_service_pb2_grpc,
    alerts_service_pb2_grpc,
    completion_service_pb2_grpc,
    metrics_service_pb2_grpc,
    models_service_pb2_grpc,
)

SERVICES = tuple(
    f"trunkline.v1.{name}"
    for name in ("CompletionService", "ModelsService", "AdminService", "MetricsService", "AlertsService")
)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the gRPC server listens.

    Attributes:
        host: an address or a name.
        port: 0: any that is free.
        unix_socket: a path beside the port; None: none.
        tls: certificates; None: plain text.
        reuse_port: whether other processes listen there too.
    """

    host: str
    port: int
    unix_socket: Path | None = None
    tls: TlsSettings | None = None
    reuse_port: bool = False


class Core:
    """The server of one process. `start` and `stop` it in one and the same running loop.

    Args:
        loaded: the configuration.
        first_key: the SHA-256 digest of the key that is there when the configuration has none.
        version: the gateway's.
        redaction: knows the secrets.
        clock: tells the time.
        data_dir: where what must last is kept; None: it lasts as long as the process.

    Raises:
        SelectionFileError: a file in `data_dir` makes no sense.
    """

    def __init__(
        self,
        loaded: Loaded,
        first_key: bytes | None,
        version: str,
        redaction: Redaction,
        clock: Clock | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self.channel = InProcessChannel()
        """The way in for callers in this process."""
        self.port = 0
        """The port that the gRPC server got."""
        self._settings = loaded.settings
        self._clock = clock or SystemClock()
        self._selections = SelectionFile(data_dir, self._clock)
        self._facts = FactsTable.read()
        self._chance = Random()
        self._gate = Gate(loaded.settings.server.max_in_flight)
        self._chaos = Chaos(self._clock, self._chance.random)
        self._chaos.configure(loaded.settings.chaos_engineering)
        self._https: list[Http] = []
        self._stopping = False
        self._checks: asyncio.Future[None] | None = None
        self._health = HealthService()
        self._alerts = Alerts(self._clock)
        self._metrics = Metrics(CollectorRegistry())
        self._troubles = Troubles(self._alerts, self._metrics)
        self._states = TargetStates(loaded.settings.circuit_breaker or CircuitBreakerSettings())
        self._prices = Prices()
        self._access_log = AccessLog(self._clock, structlog.get_logger("trunkline.access").bind())
        self._governance: Governance | None = None
        self._passing_dir: TemporaryDirectory[str] | None = None
        self._server: grpc.aio.Server | None = None
        self._runtime = self._build(loaded)
        self._configured_keys = ConfiguredKeys(_holders(loaded.settings, first_key))
        self._redaction = redaction
        self._version = version
        self._data_dir = data_dir
        self._database: Database | None = None
        self._keys: StoredKeys | None = None
        self._idempotency: Idempotency | None = None

    async def start(self, listen: Listen | None) -> None:
        """Begins to serve: in this process, and on the network where `listen` says so.

        Raises:
            OSError: the address is taken or not ours.
            StorageError: the database cannot be used.
            UnheldLimitsError: the database has limits that workers could not hold to together, or not without a ledger.
        """
        database = self._database = await Database.open(_storage_url(self._settings), self._data_dir)
        keys = self._keys = StoredKeys(self._configured_keys, database, self._clock)
        interceptors: tuple[Interceptor, ...] = (
            RequestId(),
            Errors(self._redaction.text),
            self._access_log,
            Auth(keys),
        )
        governance = await self._govern(database)
        alerts = AlertList(self._alerts, BudgetAlerts(database, self._clock), notices(lambda: self._runtime))
        text = "Alerts that fire, by rule and severity: this process's own, and those of budgets."
        self._metrics.add_awaited("gauge", "trunkline_alerts_firing", text, ("rule", "severity"), alerts.count)
        hosts: list[Host] = [self.channel]
        if listen is not None:
            self._server = self._grpc_server(listen)
            hosts.append(GrpcHost(self._server))
        self._idempotency = Idempotency(database, self._clock, find_worker_id())
        self._register(Registry(interceptors, hosts), database, governance, self._idempotency, alerts)
        self._gate.watch()
        names = ["", READINESS, *SERVICES, *(f"provider/{name}" for name in self._runtime.rows)]
        await self._health.set(dict.fromkeys(names, True))
        await self._health.set({f"provider/{name}": row.usable for name, row in self._runtime.rows.items()})
        if self._server is not None and listen is not None:
            self._add_ports(self._server, listen)
            await self._server.start()
        self._watch_health()

    async def _govern(self, database: Database) -> Governance:
        """Lets completions be counted, limited and written down from here on."""
        if self._data_dir is None:
            self._passing_dir = TemporaryDirectory(prefix="trunkline-")
        data_dir = self._data_dir or Path(cast(TemporaryDirectory[str], self._passing_dir).name)
        governance = self._governance = await Governance.start(
            self._settings,
            database,
            data_dir,
            self._states,
            self._clock,
            self._redaction.text,
            self._troubles,
            self._prices,
            lasting=self._data_dir is not None,
        )
        means = replace(self._runtime.means, accounts=governance.accounts)
        self._runtime = replace(self._runtime, means=means, dispatcher=Dispatcher(means))
        return governance

    def _usual_micros(self, target: Target, operation: Operation) -> int | None:
        """What a target costs now, for comparing it with others."""
        price = self._prices.price(target.settings, target.model, round(self._clock.now() * 1e6))
        return usual_micros(price, operation is not Operation.EMBEDDINGS)

    def _watch_health(self) -> None:
        """Begins to check the providers where the configuration asks for it."""
        settings, runtime = self._settings.health_check, self._runtime
        if settings is None or not settings.enabled or not settings.providers:
            return
        providers = {name: row.provider for name, row in runtime.router.rows.items() if runtime.rows[name].usable}

        async def tell(name: str, health: Health) -> None:
            self._troubles.provider_checked(name, health is not Health.UNHEALTHY)
            await self._health.set({f"provider/{name}": health is not Health.UNHEALTHY})

        self._checks = asyncio.ensure_future(
            watch_health(providers, runtime.health, settings.interval, settings.timeout, tell)
        )

    async def drain(self) -> None:
        """Tells probes that nothing new should be sent here."""
        self._stopping = True
        await self._health.set({READINESS: False})

    async def stop(self, grace_s: float) -> None:
        """Stops: no new call, running ones get `grace_s` seconds to end, the rest ends with UNAVAILABLE."""
        await self.drain()
        if self._checks is not None:
            self._checks.cancel()
            await asyncio.gather(self._checks, return_exceptions=True)
        await self._health.stop()
        cutting = asyncio.get_running_loop().call_later(grace_s, self._cut_off)
        if not grace_s:
            self._cut_off()
        stops = [self.channel.close(grace_s)]
        if self._server is not None:
            stops.append(self._server.stop(grace_s))
        await asyncio.gather(*stops)
        cutting.cancel()
        self._cut_off()  # what is left has no caller
        if self._idempotency is not None:
            await self._idempotency.close()
        await self._runtime.catalogue.close()
        self._gate.close()
        self._runtime.means.watch.close()
        await asyncio.gather(*(http.close() for http in self._https))
        if self._governance is not None:
            await self._governance.close()
        if self._keys is not None:
            await self._keys.close()
        if self._database is not None:
            await self._database.close()
        if self._passing_dir is not None:
            self._passing_dir.cleanup()

    def _cut_off(self) -> None:
        """From here on calls that end too early do so because the gateway stops, and no longer because callers leave."""
        self._access_log.stopped = True
        if self._governance is not None:
            self._governance.accounts.stop()

    def _build(self, loaded: Loaded) -> Runtime:
        states = self._states
        health = ProviderHealth(states, self._clock)
        built: list[Row] = []
        rows: dict[str, ProviderRow] = {}
        sources: list[Source] = []
        kinds = {kind.type: kind for kind in provider_kinds()}
        for settings in sorted(loaded.settings.providers, key=lambda row: (not row.forced, row.priority)):
            http = build_http(settings)
            self._https.append(http)
            provider = build_provider(ProviderContext(settings, http, self._clock.now))
            lacks_key = kinds[settings.type].needs_key and settings.api_key is None
            rows[settings.name] = row = ProviderRow(settings, provider.operations, lacks_key, health.of)
            sources.append(Source(settings, provider.operations, provider if row.usable else None))
            if settings.enabled:
                built.append(Row(settings, provider))
        routing = loaded.settings.routing
        catalogue = Catalogue(sources, self._facts, self._clock)
        router = Router(
            built,
            routing,
            states,
            name=lambda row, model: provider_name(row, model, catalogue.listed(row.name)),
            priority=lambda provider: self._selections.current().priority(provider),
        )
        self._selections.changed = router.refresh
        strategy = Strategy(routing.strategy, self._usual_micros, self._chance)
        means = Means(
            router,
            routing,
            strategy,
            self._clock,
            self._chance,
            self._gate,
            window=lambda target: _facts(catalogue, target).context_window,
            defaults=lambda target: self._selections.current().defaults(target.settings.name, target.model),
            chaos=self._chaos,
        )
        return Runtime(loaded, self._clock.now(), 1, rows, router, means, Dispatcher(means), health, catalogue)

    def _register(
        self,
        registry: Registry,
        database: Database,
        governance: Governance,
        idempotency: Idempotency,
        alert_list: AlertList,
    ) -> None:
        def runtime() -> Runtime:
            return self._runtime

        completion = CompletionService(runtime, idempotency)
        tenancy, sharing, prices = Tenancy(database, self._clock), governance.sharing, governance.prices
        models = ModelsService(runtime, self._selections, self._clock, self._prices, tenancy.audit)
        require = partial(require_ledger, self._settings)
        admin = AdminService(runtime, self._chaos, tenancy, sharing.require, require, prices.refresh)
        rows = Rows(database, governance.flush)
        metrics = MetricsService(runtime, self._version, self._clock, lambda: self._stopping, self._metrics, rows)
        alerts = AlertsService(alert_list)
        # The registry stands in for a server, and the servicers take a `Call` for gRPC's context.
        completion_service_pb2_grpc.add_CompletionServiceServicer_to_server(completion, registry)  # type: ignore[arg-type]
        models_service_pb2_grpc.add_ModelsServiceServicer_to_server(models, registry)  # type: ignore[arg-type]
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(admin, registry)  # type: ignore[arg-type]
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(metrics, registry)  # type: ignore[arg-type]
        alerts_service_pb2_grpc.add_AlertsServiceServicer_to_server(alerts, registry)  # type: ignore[arg-type]

    def _grpc_server(self, listen: Listen) -> grpc.aio.Server:
        server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", int(listen.reuse_port)),
                ("grpc.max_receive_message_length", int(self._settings.server.max_body_mb * 1024 * 1024)),
                ("grpc.max_send_message_length", -1),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            )
        )
        # Probes and tools call these without a key, and they say nothing that the interceptors are there for.
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        add_reflection((*SERVICES, "grpc.health.v1.Health"), server)
        return server

    def _add_ports(self, server: grpc.aio.Server, listen: Listen) -> None:
        address = f"[{listen.host}]:{listen.port}" if ":" in listen.host else f"{listen.host}:{listen.port}"
        try:
            if listen.tls is None:
                self.port = server.add_insecure_port(address)
            else:
                self.port = server.add_secure_port(address, _credentials(listen.tls))
            if listen.unix_socket is not None:
                server.add_insecure_port(f"unix:{listen.unix_socket}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from None


def _holders(settings: Settings, first_key: bytes | None) -> Mapping[bytes, Caller]:
    holders = {
        key.digest: Caller(key.name, frozenset(cast(Sequence[str], key.roles)), key_id=key.name)
        for key in settings.auth.api_keys
    }
    if first_key is not None:
        holders[first_key] = Caller("first-key", frozenset({ADMIN, COMPLETION}), key_id="first-key")
    return holders


def _storage_url(settings: Settings) -> str | None:
    url = settings.storage.url
    return None if url is None else url.get_secret_value()


def _facts(catalogue: Catalogue, target: Target) -> ModelFacts:
    return catalogue.facts(target.settings.name, target.model)


def _credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    chain = (Path(tls.key_file).read_bytes(), Path(tls.cert_file).read_bytes())
    client_ca = Path(tls.client_ca_file).read_bytes() if tls.client_ca_file else None
    return grpc.ssl_server_credentials([chain], client_ca, require_client_auth=client_ca is not None)


def secrets_of(loaded: Loaded) -> Iterable[str]:
    """Every secret that the configuration holds, for redaction."""
    settings = loaded.settings
    for key in loaded.plain_keys:
        yield key.get_secret_value()
    for provider in settings.providers:
        if provider.api_key is not None:
            yield provider.api_key.get_secret_value()
        for name, value in provider.custom_headers.items():
            if is_secret(name):
                yield value
            if name.lower().endswith("authorization"):
                yield value.rpartition(" ")[2]  # without `Bearer`
    for section in (settings.storage, settings.redis):
        if section is not None and section.url is not None:
            yield from _passwords(section.url.get_secret_value())


def _passwords(url: str) -> Iterable[str]:
    """The passwords in a URL, as they stand there and as they are."""
    password = url.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")[2]
    parameters = (field.partition("=") for field in url.partition("?")[2].split("&"))
    for each in (password, *(value for name, _, value in parameters if name.endswith("password"))):
        if each:
            yield each
            yield unquote(each)


def log_notices(notices: Iterable[Notice]) -> None:
    """Logs what the writer of the configuration should know, once."""
    log = structlog.get_logger("trunkline.config")
    for notice in notices:
        (log.warning if notice.severity == "warning" else log.info)(
            "configuration", code=notice.code, path=notice.path, line=notice.line, text=notice.message
        )
