"""The settings: one immutable tree that everything else is built from.

Names and defaults of `config.yaml` in its nested shape. Optional sections are None where the file has none. Defaults of a
section that is present are the section's own. Secrets are `SecretStr`; of callers' keys only digests exist.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from server.config.fields import (
    Count,
    Delay,
    FilePath,
    Float,
    HeaderName,
    HttpUrl,
    Int,
    LimitByEndpoint,
    ModelByModel,
    ModelPattern,
    ModelsByModel,
    Name,
    NamePattern,
    Percent,
    Port,
    PositiveCount,
    Seconds,
    SecretUrl,
    Share,
    Text,
    UpperCase,
)
from server.config.frozen_map import FrozenMap
from server.config.provider_settings import HttpClientSettings, ProviderSettings
from server.config.section import Section

LIMITED_PATHS: Mapping[str, str] = {
    "chat": "/v1/chat/completions",
    "text": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "images": "/v1/images/generations",
    "videos": "/v1/videos/generations",
}
"""The operations that `rate_limit.endpoints` may name, and the path by which each comes in, unless it comes by gRPC."""

Role = Literal["completion", "models:read", "metrics:read", "admin"]


def _digest(value: object) -> object:
    return bytes.fromhex(value) if isinstance(value, str) else value


class AppSettings(Section):
    """What the gateway calls itself. `config_file` is accepted and has no effect: the file is already open."""

    name: Text = "trunkline"
    version: Text = "1.0.0"
    environment: Text = "production"
    config_file: FilePath | None = None


class TlsSettings(Section):
    """Certificates, as paths of PEM files; with `client_ca_file` callers have to show a certificate too."""

    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None


class ServerSettings(Section):
    """Where the gateway listens, and how much it takes at once.

    Port 0 takes a free one; no `grpc_host` is `host`; no `metrics_port` is no listener. `max_in_flight` counts completions
    of one worker.
    """

    host: Text = "127.0.0.1"
    port: Port = 8000
    grpc_host: Text | None = None
    grpc_port: Port = 50_051
    metrics_port: Port | None = None
    debug: bool = False
    reload: bool = False
    max_body_mb: Float = Field(default=50, gt=0, le=2047)  # gRPC counts to 2 GB
    max_in_flight: PositiveCount = 2048
    cors_origins: tuple[Text, ...] = ()
    sse_keepalive_s: Delay = 15
    drain_s: Delay = 30
    workers: Int = Field(default=1, ge=1, le=1024)
    tls: TlsSettings | None = None
    unix_socket: FilePath | None = None


class ApiKey(Section):
    """One key that callers may show: its SHA-256, what it is called in logs, what it may do."""

    digest: Annotated[bytes, BeforeValidator(_digest), Field(min_length=32, max_length=32, repr=False)]
    name: Name
    roles: tuple[Role, ...] = Field(default=("completion", "admin"), min_length=1)

    input_keys: ClassVar[tuple[str, ...]] = ("key", "key_env", "sha256")
    derived_fields: ClassVar[tuple[str, ...]] = ("digest",)


class AuthSettings(Section):
    """Who may call. `public_analytics` opens the analytics paths to everyone."""

    api_keys: tuple[ApiKey, ...] = ()
    api_key_header: HeaderName = "X-API-Key"
    public_analytics: bool = False


class HedgingSettings(Section):
    """A second try beside the first of these models, once that one has been silent for `delay_s`."""

    enabled: bool = True
    delay_s: Seconds = 2
    models: tuple[ModelPattern, ...] = ("*",)


class RoutingSettings(Section):
    """How a model's name becomes providers to try, in which order.

    `content_filter_fallback` asks the next provider when one refuses a prompt by its content policy.
    """

    strategy: Literal["priority", "weighted", "least_latency", "least_busy", "cheapest"] = "priority"
    aliases: ModelByModel = FrozenMap()
    fallbacks: ModelsByModel = FrozenMap()
    context_window_fallbacks: ModelsByModel = FrozenMap()
    on_broken_stream: Literal["recover", "error"] = "recover"
    content_filter_fallback: bool = False
    hedging: HedgingSettings | None = None


class CircuitBreakerSettings(Section):
    """When a provider is left alone, and for how many seconds."""

    enabled: bool = True
    failure_threshold: PositiveCount = 5
    recovery_timeout: Seconds = 60
    half_open_max_calls: PositiveCount = 3
    expected_exception: Text | None = None


class CondensationSettings(Section):
    """How a prompt too long for its model is shortened; sizes are in tokens, `cache_ttl` in seconds."""

    enabled: bool = True
    truncation_threshold: PositiveCount = 2000
    summary_max_tokens: PositiveCount = 512
    adaptive_factor: Share = 0.5
    cache_size: Count = 1000
    cache_ttl: Delay = 300
    cache_persist: bool = False
    error_patterns: tuple[Text, ...] = ("context_length_exceeded", "maximum context length")


class CacheSettings(Section):
    """One cache; `ttl` is in seconds."""

    enabled: bool = True
    max_size_mb: Float = Field(default=256, gt=0, le=1_000_000)
    ttl: Delay = 300
    compression: bool = True


class CachingSettings(Section):
    """What is answered from memory."""

    enabled: bool = True
    response_cache: CacheSettings | None = None
    summary_cache: CacheSettings | None = None


class MemorySettings(Section):
    """When memory is freed; intervals are in seconds."""

    enabled: bool = True
    max_usage_percent: Percent = 85
    gc_threshold_percent: Percent = 75
    monitoring_interval: Seconds = 30
    cache_cleanup_interval: Seconds = 300


class RotationSettings(Section):
    """When a log file is closed, and how many are kept."""

    max_size_mb: Float = Field(default=100, gt=0, le=1_000_000)
    max_files: PositiveCount = 5


class LoggingSettings(Section):
    """What is logged and where; `file` None is the standard error stream. `store_bodies` keeps prompts and answers."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UpperCase] = "INFO"
    format: Literal["json", "text"] = "json"
    file: FilePath | None = None
    rotation: RotationSettings | None = None
    store_bodies: bool = False


class HealthCheckSettings(Section):
    """What is checked in the background, how often, for how long."""

    enabled: bool = True
    interval: Seconds = 60
    timeout: Seconds = 10
    providers: bool = True
    context_service: bool = True
    memory: bool = True
    cache: bool = True


class ExporterSettings(Section):
    """One receiver of traces."""

    enabled: bool = True
    endpoint: HttpUrl | None = None


class SamplingSettings(Section):
    """Which share of the requests is traced."""

    probability: Share = 1


class TelemetrySettings(Section):
    """Traces."""

    enabled: bool = True
    service_name: Text = "trunkline"
    service_version: Text | None = None
    otlp: ExporterSettings | None = None
    jaeger: ExporterSettings | None = None
    zipkin: ExporterSettings | None = None
    sampling: SamplingSettings = SamplingSettings()


class FaultMatchSettings(Section):
    """Which attempts a fault may hit; None is any. `*` in a name stands for any letters.

    `key` is not the key, but the name of one of the file, and the id of any other.

    `percentage` is counted, not drawn: with 25 it is each fourth of the attempts that fit the names.
    """

    provider: NamePattern | None = None
    model: ModelPattern | None = None
    key: NamePattern | None = None
    percentage: Percent = 100


class FaultSettings(Section):
    """One kind of trouble made on purpose, as if the provider made it.

    `probability` is drawn for each attempt that matches. The fault happens after `after_chunks` chunks of the answer, or at
    its end where it has fewer; None is 1 for what breaks a stream (`cut_stream`, `stall`), else before the first chunk.
    `severity` changes nothing: it is told with the answers, for whoever sorts them.

    `duration_ms` is how long a `delay` lasts (None: a second), a `timeout` takes to be noticed (None: all the time that the
    attempt has), and when a `rate_limit` says to come back (None: it does not say). `error_code` is the HTTP status of an
    `error` (None: 500), `error_message` what the provider says. `expire_after` counts seconds from loading.
    """

    type: Literal["delay", "error", "timeout", "rate_limit", "cut_stream", "stall", "malformed", "reset"]
    severity: Literal["low", "medium", "high"] = "low"
    probability: Share = 0.1
    duration_ms: Count | None = None
    error_code: Int | None = Field(default=None, ge=400, le=599)
    error_message: Text | None = None
    after_chunks: Count | None = None
    match: FaultMatchSettings = FaultMatchSettings()
    expire_after: Seconds | None = None
    expire_time: AwareDatetime | None = None

    @model_validator(mode="after")
    def _expires_once(self) -> Self:
        if self.expire_after is not None and self.expire_time is not None:
            raise ValueError("must have `expire_after` or `expire_time`, not both")
        return self


class ChaosEngineeringSettings(Section):
    """Trouble made on purpose; off unless said otherwise."""

    enabled: bool = False
    faults: tuple[FaultSettings, ...] = ()


class ScopeLimitSettings(Section):
    """How much passes in a window for everybody together (`global`), or for each tenant, user, key or model.

    `name` narrows it to one of them, as an id or a pattern with `*`. What is None is not limited; `window_seconds` is the
    section's where it is None. A `burst_limit` of 0 lets all of a window's requests come at once.
    """

    scope: Literal["global", "tenant", "user", "key", "model"]
    name: ModelPattern | None = None
    requests_per_window: PositiveCount | None = None
    tokens_per_window: PositiveCount | None = None
    window_seconds: Seconds | None = None
    burst_limit: Count = 0

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests_per_window is None and self.tokens_per_window is None:
            raise ValueError("must have `requests_per_window` or `tokens_per_window`")
        return self


class RateLimitSettings(Section):
    """How many requests, and how many tokens, one key may use in any window.

    At most `burst_limit` requests come at once, the rest of a window's has to come evenly; 0 lets all of them come at once.
    `endpoints` sets requests per window and key for single paths (`/v1/embeddings`) or operations (`embeddings`), and
    `scopes` what holds beside that for others than keys.
    """

    enabled: bool = True
    requests_per_window: PositiveCount = 1000
    tokens_per_window: PositiveCount | None = None
    window_seconds: Seconds = 60
    burst_limit: Count = 50
    endpoints: LimitByEndpoint = FrozenMap()
    scopes: tuple[ScopeLimitSettings, ...] = ()


class TemplatesSettings(Section):
    """Prompt templates, read from a directory."""

    enabled: bool = True
    directory: FilePath = "templates"
    cache_size: Count = 50
    auto_reload: bool = False


class SecuritySettings(Section):
    """What happens to requests that hold patterns of attacks."""

    sanitize: Literal["off", "flag", "reject", "strip"] = "off"


class RedisSettings(Section):
    """The Redis or Valkey that workers share.

    While it does not answer within `timeout` seconds, limits let everything pass (`fail_open`) or nothing (`fail_closed`).
    The wait for a turn counts, so `timeout` has to be more than twice what one answer takes.
    """

    url: SecretUrl
    on_failure: Literal["fail_open", "fail_closed"] = "fail_open"
    timeout: Seconds = 0.05


class StorageSettings(Section):
    """The database; no `url` is SQLite in the data folder.

    While it fails, rows of completions wait in the data folder (`spool`), or requests are refused (`refuse`). Completions
    are kept for `retention_days`, no more than fit into `max_size_mb`, and their bodies for `body_retention_days`; None:
    no limit.
    """

    url: SecretUrl | None = None
    on_failure: Literal["spool", "refuse"] = "spool"
    retention_days: Float | None = Field(default=None, gt=0, le=100_000)
    body_retention_days: Float | None = Field(default=None, gt=0, le=100_000)
    max_size_mb: Float | None = Field(default=None, gt=0, le=100_000_000)


class LedgerSettings(Section):
    """Whether every completion is written down: what it was, used and cost. Quotas and budgets need it."""

    enabled: bool = True


class MetricsApiSettings(Section):
    """The listener of the metrics documents."""

    enabled: bool = True
    host: Text = "127.0.0.1"
    port: Port = 8002


class Settings(Section):
    """The whole configuration."""

    app: AppSettings = AppSettings()
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    providers: tuple[ProviderSettings, ...] = ()
    routing: RoutingSettings = RoutingSettings()
    http_client: HttpClientSettings = HttpClientSettings()
    logging: LoggingSettings = LoggingSettings()
    security: SecuritySettings = SecuritySettings()
    circuit_breaker: CircuitBreakerSettings | None = None
    condensation: CondensationSettings | None = None
    caching: CachingSettings | None = None
    memory: MemorySettings | None = None
    health_check: HealthCheckSettings | None = None
    telemetry: TelemetrySettings | None = None
    chaos_engineering: ChaosEngineeringSettings | None = None
    rate_limit: RateLimitSettings | None = None
    templates: TemplatesSettings | None = None
    redis: RedisSettings | None = None
    storage: StorageSettings = StorageSettings()
    ledger: LedgerSettings = LedgerSettings()
    metrics_api: MetricsApiSettings | None = None
