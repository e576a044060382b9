"""Whose tokens a quota counts, and whose spending a budget: everybody's, or a tenant's, a user's, a key's, a model's."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Table, and_, delete, or_, select

from server.errors import invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import API_KEYS, BUDGETS, QUOTAS, TENANTS, USERS
from server.tenancy.audit import Record, write_audit
from server.tenancy.limit_rows import read_budget, read_quota
from server.tenancy.who import Who, for_operators, not_found, read_name

GLOBAL, MODEL = "global", "model"
_COLLECTIONS: Mapping[str, str] = {"tenant": "tenants", "user": "users", "key": "api_keys"}
_MODELS = "models/"
_SHARED = frozenset({GLOBAL, MODEL})
"""Scopes that are nobody's."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose. `id` is empty for everybody."""

    scope: str
    id: str

    @property
    def name(self) -> str:
        """The resource name: `tenants/{tenant}`; `global`."""
        if self.scope == GLOBAL:
            return GLOBAL
        return f"{_MODELS}{self.id}" if self.scope == MODEL else f"{_COLLECTIONS[self.scope]}/{self.id}"


def read_subject(name: str, shared: bool) -> Subject:
    """The subject of a resource name. A model's is not checked further.

    Args:
        name: the name.
        shared: whether everybody and models may be meant.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if shared and name == GLOBAL:
        return Subject(GLOBAL, "")
    if shared and name.startswith(_MODELS) and name != _MODELS:
        return Subject(MODEL, name.removeprefix(_MODELS))
    for scope, collection in _COLLECTIONS.items():
        if name.startswith(f"{collection}/"):
            return Subject(scope, read_name(name, collection, "subject"))
    forms = ["tenants/{tenant}", "users/{user}", "api_keys/{api_key}", *(("models/{model}", GLOBAL) if shared else ())]
    raise invalid_request(f"`subject` must be one of {', '.join(f'`{form}`' for form in forms)}.", "subject")


async def tenant_of(connection: AsyncConnection, subject: Subject, to_keep: bool = False) -> str | None:
    """The tenant that a subject belongs to; empty: none; None: it is not there.

    Args:
        connection: the transaction.
        subject: which.
        to_keep: lets nobody delete it before the transaction ends.
    """
    if subject.scope in _SHARED:
        return ""
    query = {
        "tenant": select(TENANTS.c.id).where(TENANTS.c.id == subject.id),
        "user": select(USERS.c.tenant_id).where(USERS.c.id == subject.id),
        "key": select(API_KEYS.c.tenant_id).where(API_KEYS.c.id == subject.id, API_KEYS.c.replaced_by.is_(None)),
    }[subject.scope]
    tenant_id: str | None = (await connection.execute(kept(query) if to_keep else query)).scalar()
    return tenant_id


def kept(query: "Select[str]") -> "Select[str]":
    """Lets nobody delete what a query finds before its transaction ends."""
    return query.with_for_update(read=True, key_share=True)


async def check_subject(connection: AsyncConnection, who: Who, subject: Subject) -> str:
    """Checks that somebody may limit a subject, and gives the tenant that it belongs to; empty: none.

    Raises:
        GatewayError: RESOURCE_NOT_FOUND where it is not there, or not for them; INSUFFICIENT_PERMISSIONS.
    """
    tenant_id = await tenant_of(connection, subject, to_keep=True)
    if tenant_id is None or (who.tenant_id and tenant_id not in ("", who.tenant_id)):
        raise not_found(*subject.name.split("/", 1))
    check_limiter(who, subject)
    return tenant_id


def check_limiter(who: Who, subject: Subject) -> None:
    """Refuses to let a tenant's keys limit, or unlimit, the tenant itself or what is nobody's.

    Raises:
        GatewayError: INSUFFICIENT_PERMISSIONS.
    """
    if not who.operator and (subject.scope == "tenant" or subject.scope in _SHARED):
        raise for_operators(f"Limiting `{subject.name}`")


def within(table: Table, tenant_id: str) -> ColumnElement[bool]:
    """Which rows of a table with subjects are a tenant's."""
    scope, id_ = table.c.scope, table.c.scope_id
    return or_(
        and_(scope == "tenant", id_ == tenant_id),
        and_(scope == "user", id_.in_(select(USERS.c.id).where(USERS.c.tenant_id == tenant_id))),
        and_(scope == "key", id_.in_(select(API_KEYS.c.id).where(API_KEYS.c.tenant_id == tenant_id))),
    )


def about(table: Table, subject: Subject) -> list[ColumnElement[bool]]:
    """Which rows of a table with subjects are about this one."""
    return [table.c.scope == subject.scope, table.c.scope_id == subject.id]


async def drop_limits(connection: AsyncConnection, who: Who, now: int, scope: str, scope_id: str, tenant_id: str) -> None:
    """Deletes the quotas and budgets of a subject that is about to be deleted itself."""
    for table, collection, read in ((QUOTAS, "quotas", read_quota), (BUDGETS, "budgets", read_budget)):
        own = and_(table.c.scope == scope, table.c.scope_id == scope_id)
        for row in (await connection.execute(select(table).where(own))).mappings().all():
            record: Record = read(row)
            await write_audit(connection, who, now, tenant_id, f"{collection}/{record.id}", record, None)
        await connection.execute(delete(table).where(own))
