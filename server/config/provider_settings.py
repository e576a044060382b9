"""One provider as configured: where it is, how to call it, what it serves."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from server.config.fields import (
    Count,
    Credential,
    Delay,
    Float,
    Headers,
    HeaderText,
    HttpUrl,
    Int,
    ModelByModel,
    ModelName,
    ModelPattern,
    Name,
    PositiveCount,
    Price,
    Seconds,
    Text,
    VariableName,
)
from server.config.frozen_map import FrozenMap
from server.config.section import Section


class ProviderSettings(Section):
    """One provider row.

    `api_key` is the key itself, wherever it came from; None where there is none. A lower `priority` is tried first; `weight`
    counts among equals. Times are in seconds; where None, `first_chunk_timeout` and `idle_timeout` are 120 for streams, and
    `timeout` alone bounds other answers. `retry_delay` bounds the first back-off, and doubles with each one.

    A value in `custom_headers` is masked in logs and errors, but for headers that are known to have no secret, as `X-Title`.

    An answer that calls tools ends with `tool_calls`, whatever the provider says, unless `trust_finish_reason` is set: for
    servers whose parsers find calls in the reasoning.

    Costs are US dollars and outweigh what is publicly known; 0 is free. Of a local provider that tells one of them the
    others are 0. `broken_stream_billing` says what is paid for when a stream breaks before its usage came: `estimate`, by
    what was told so far; `read_to_end`, by the usage at the end of the provider's answer, which is read on without a
    listener; `none`, nothing.
    """

    name: Name
    type: Text
    base_url: HttpUrl | None = None
    api_key_env: VariableName | None = None
    api_key: Credential | None = None
    models: tuple[ModelPattern, ...] = ()
    enabled: bool = True
    forced: bool = False
    priority: Int = Field(default=100, ge=-1_000_000, le=1_000_000)
    weight: Float = Field(default=1, ge=0, le=1_000_000)

    timeout: Seconds = 600
    connect_timeout: Seconds = 10
    first_chunk_timeout: Seconds | None = None
    idle_timeout: Seconds | None = None
    max_retries: Count = 2
    retry_delay: Delay = 0.5
    rate_limit: PositiveCount | None = None
    max_connections: PositiveCount = 100
    max_keepalive_connections: Count = 20
    keepalive_expiry: Delay = 30
    http2: bool = False

    custom_headers: Headers = Field(default=FrozenMap(), repr=False)
    dialect: Literal["current", "legacy"] = "current"
    api_version: HeaderText | None = None
    deployment_id: ModelName | None = None
    deployments: ModelByModel = FrozenMap()
    organization: HeaderText | None = None
    project: HeaderText | None = None
    default_max_tokens: PositiveCount | None = None
    unsupported_parameters: Literal["drop", "reject"] | None = None
    trust_finish_reason: bool = False
    chunk_delay_ms: Count = 0

    cost_per_1k_input_tokens: Price | None = None
    cost_per_1k_output_tokens: Price | None = None
    electricity_cost_per_hour: Price | None = None
    broken_stream_billing: Literal["estimate", "read_to_end", "none"] = "estimate"

    @field_validator("models")
    @classmethod
    def _without_repetition(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(models))


class PoolLimits(Section):
    """How many connections one provider may hold, and for how many seconds an idle one is kept."""

    max_connections: PositiveCount = 100
    max_keepalive_connections: Count = 20
    keepalive_expiry: Delay = 30


class HttpClientSettings(Section):
    """What holds for every provider row that does not say otherwise; `read_timeout` is the longest silence of a provider."""

    timeout: Seconds = 600
    connect_timeout: Seconds = 10
    read_timeout: Seconds | None = None
    pool_limits: PoolLimits = PoolLimits()

    renamed: ClassVar[dict[str, str]] = {"read_timeout": "idle_timeout"}

    def given(self) -> dict[str, object]:
        """Lists what the file gave, by the field of a provider row that it is the default of."""
        own = {self.renamed.get(name, name): getattr(self, name) for name in self.model_fields_set if name != "pool_limits"}
        return own | {name: getattr(self.pool_limits, name) for name in self.pool_limits.model_fields_set}
