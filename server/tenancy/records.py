"""What is known of tenants, users, keys, quotas, budgets and prices. Values; times are microseconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation."""

    id: str
    display_name: str
    enabled: bool
    create_time: int
    update_time: int


@dataclass(frozen=True, slots=True)
class User:
    """A person or a program of a tenant."""

    id: str
    tenant_id: str
    display_name: str
    enabled: bool
    create_time: int
    update_time: int


@dataclass(frozen=True, slots=True)
class FormerKey:
    """A key that was rotated and is let in for a while yet."""

    prefix: str
    expire_time: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without the key and its digest.

    Attributes:
        prefix: the key's first characters.
        permissions: what it may do.
        allowed_models: patterns; empty: all.
        allowed_providers: likewise.
        expire_time: None: never.
        former_keys: those that it replaced, the next to end first.
        last_use_time: when somebody was let in with it, or with one of those; None: nobody was. Changes of the key leave
            it alone.
    """

    id: str
    tenant_id: str
    user_id: str
    display_name: str
    prefix: str
    permissions: tuple[str, ...]
    allowed_models: tuple[str, ...]
    allowed_providers: tuple[str, ...]
    enabled: bool
    expire_time: int | None
    create_time: int
    update_time: int
    former_keys: tuple[FormerKey, ...] = ()
    last_use_time: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """How many tokens a subject may use in a period. `scope` is tenant, user or key."""

    id: str
    scope: str
    scope_id: str
    token_limit: int
    period: str
    create_time: int
    update_time: int


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a subject may spend in a period.

    `scope` is global, tenant, user, key or model; `scope_id` is empty for global.
    """

    id: str
    display_name: str
    scope: str
    scope_id: str
    limit_micros: int
    period: str
    enforced: bool
    thresholds: tuple[int, ...]
    create_time: int
    update_time: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs from a time on.

    Attributes:
        provider: a row's name or its type; empty: all.
        price: the amounts, decimals as texts.
    """

    id: str
    provider: str
    model: str
    effective_time: int
    price: Mapping[str, object]
    create_time: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `before` and `after` are JSON objects; empty: there was nothing."""

    id: str
    create_time: int
    tenant_id: str
    actor: str
    request_id: str
    action: str
    resource: str
    before: str
    after: str
