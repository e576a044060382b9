"""The tables. Times are microseconds since the epoch, money is millionths of a US dollar, both whole numbers.

The same on SQLite and PostgreSQL: names are text, documents are JSON text that the server writes and reads itself.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.sql.schema import UniqueConstraint

REVISION = "0004"
"""The newest step in `migrations`, which makes these tables of older ones."""

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


TENANTS = Table(
    "tenants",
    METADATA,
    _id(),
    Column("display_name", String(200), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
)

USERS = Table(
    "users",
    METADATA,
    _id(),
    Column("tenant_id", String(64), ForeignKey("tenants.id"), nullable=False, index=True),
    Column("display_name", String(200), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    _id(),
    Column("tenant_id", String(64), ForeignKey("tenants.id"), nullable=False, index=True),
    Column("user_id", String(64), ForeignKey("users.id"), nullable=False, index=True),
    Column("display_name", String(200), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the key
    Column("prefix", String(16), nullable=False),  # the key's first characters, to know it by
    Column("permissions", Text, nullable=False),  # a JSON array
    Column("allowed_models", Text, nullable=False),  # a JSON array of patterns; empty: all
    Column("allowed_providers", Text, nullable=False),  # likewise
    Column("enabled", Boolean, nullable=False),
    Column("expire_time", BigInteger),  # null: never
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("last_use_time", BigInteger),
    Column("replaced_by", String(64)),  # the key that took its place when it was rotated
)

QUOTAS = Table(
    "quotas",
    METADATA,
    _id(),
    Column("scope", String(16), nullable=False),  # tenant, user or key
    Column("scope_id", String(64), nullable=False),
    Column("token_limit", BigInteger, nullable=False),
    Column("period", String(16), nullable=False),  # daily, weekly, monthly or total
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    UniqueConstraint("scope", "scope_id", "period"),
)

BUDGETS = Table(
    "budgets",
    METADATA,
    _id(),
    Column("display_name", String(200), nullable=False),
    Column("scope", String(16), nullable=False),  # global, tenant, user, key or model
    Column("scope_id", String(200), nullable=False),  # empty for global
    Column("limit_micros", BigInteger, nullable=False),
    Column("period", String(16), nullable=False),  # daily, weekly, monthly or total
    Column("enforced", Boolean, nullable=False),  # else it is only tracked
    Column("thresholds", Text, nullable=False),  # a JSON array of percentages that raise events
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
)

BUDGET_EVENTS = Table(
    "budget_events",
    METADATA,
    _id(),
    Column("budget_id", String(64), nullable=False),
    Column("period_start", BigInteger, nullable=False),
    Column("threshold", BigInteger, nullable=False),  # per cent
    Column("spent_micros", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    UniqueConstraint("budget_id", "period_start", "threshold"),
)

COMPLETIONS = Table(
    "completions",
    METADATA,
    _id(),
    Column("request_id", String(128), nullable=False, index=True),
    Column("state", String(16), nullable=False),  # open, settled or interrupted
    Column("worker", String(64), nullable=False),  # the process that it was open in
    Column("tenant_id", String(64), nullable=False),  # empty for keys of the configuration
    Column("user_id", String(64), nullable=False),
    Column("key_id", String(64), nullable=False),  # their name for keys of the configuration
    Column("operation", String(16), nullable=False),
    Column("model", String(200), nullable=False),  # as asked for
    Column("streamed", Boolean, nullable=False),
    Column("origin", String(64), nullable=False),  # the caller's address
    Column("message_count", BigInteger, nullable=False),
    Column("parameters", Text, nullable=False),  # a JSON object
    Column("begin_time", BigInteger, nullable=False),
    Column("reserved_tokens", BigInteger, nullable=False),
    Column("reserved_micros", BigInteger),  # null: the price is not known
    # From here on known when it is settled.
    Column("status", String(16), nullable=False),  # completed, failed, cancelled, incomplete; empty while open
    Column("error_reason", String(64), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("provider_model", String(200), nullable=False),
    Column("attempts", Text, nullable=False),  # a JSON array of {provider, model, error, status, latency_s}
    Column("finish_reason", String(32), nullable=False),
    Column("first_chunk_time", BigInteger),
    Column("end_time", BigInteger),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cost_micros", BigInteger),  # null: the price is not known
    Column("exact", Boolean, nullable=False),  # else tokens or cost are an estimate
    Column("request_body", Text),
    Column("answer_body", Text),
    Index("ix_completions_begin_time", "begin_time"),
    Index("ix_completions_tenant_id_begin_time", "tenant_id", "begin_time"),
    Index("ix_completions_user_id_begin_time", "user_id", "begin_time"),
    Index("ix_completions_key_id_begin_time", "key_id", "begin_time"),
    Index("ix_completions_model_begin_time", "model", "begin_time"),
    Index("ix_completions_state_worker", "state", "worker"),
)

FORGOTTEN = Table(  # what completions used that are deleted; quotas and budgets count it
    "forgotten",
    METADATA,
    Column("day", BigInteger, primary_key=True),  # the midnight before they began, in UTC
    Column("tenant_id", String(64), primary_key=True),
    Column("user_id", String(64), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
)

WORKERS = Table(
    "workers",
    METADATA,
    _id(),  # as `completions.worker` has it
    Column("beat_time", BigInteger, nullable=False),  # when it last said that it lives
)

PRICES = Table(
    "prices",
    METADATA,
    _id(),
    Column("provider", String(64), nullable=False),  # a row's name or type; empty: any
    Column("model", String(200), nullable=False),
    Column("effective_time", BigInteger, nullable=False),
    Column("price", Text, nullable=False),  # a JSON object of decimal texts, US dollars for a million
    Column("create_time", BigInteger, nullable=False),
    UniqueConstraint("provider", "model", "effective_time"),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("id", String(64), primary_key=True),  # SHA-256 of caller and key, hexadecimal
    Column("body_digest", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),  # running or done
    Column("worker", String(64), nullable=False),  # the process that is at it, and eight letters more
    Column("answer", LargeBinary),
    Column("create_time", BigInteger, nullable=False),
    Column("expire_time", BigInteger, nullable=False, index=True),
)

AUDIT = Table(
    "audit",
    METADATA,
    _id(),
    Column("create_time", BigInteger, nullable=False, index=True),
    Column("tenant_id", String(64), nullable=False),  # whose resource it is; empty: nobody's
    Column("actor", String(200), nullable=False),  # the caller's key by name
    Column("request_id", String(128), nullable=False),
    Column("action", String(64), nullable=False),  # the RPC's name
    Column("resource", String(300), nullable=False),
    Column("before", Text, nullable=False),  # a JSON object; empty: there was nothing
    Column("after", Text, nullable=False),  # likewise
)
