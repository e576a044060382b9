"""Records of tenants, users, keys, quotas, budgets and their changes -> the contract's messages."""

from server.services.admin_fields import period_value
from server.services.times import timestamp
from server.tenancy import records
from server.tenancy.subjects import Subject
from trunkline.v1.tenancy_pb2 import ApiKey, AuditEntry, Budget, FormerKey, Quota, Tenant, User


def tenant_message(tenant: records.Tenant) -> Tenant:
    """A tenant."""
    return Tenant(
        name=f"tenants/{tenant.id}",
        display_name=tenant.display_name,
        enabled=tenant.enabled,
        create_time=timestamp(tenant.create_time),
        update_time=timestamp(tenant.update_time),
    )


def user_message(user: records.User) -> User:
    """A user."""
    return User(
        name=f"users/{user.id}",
        tenant=f"tenants/{user.tenant_id}",
        display_name=user.display_name,
        enabled=user.enabled,
        create_time=timestamp(user.create_time),
        update_time=timestamp(user.update_time),
    )


def api_key_message(key: records.ApiKey) -> ApiKey:
    """A key."""
    return ApiKey(
        name=f"api_keys/{key.id}",
        tenant=f"tenants/{key.tenant_id}",
        user=f"users/{key.user_id}",
        display_name=key.display_name,
        prefix=key.prefix,
        permissions=key.permissions,
        allowed_models=key.allowed_models,
        allowed_providers=key.allowed_providers,
        enabled=key.enabled,
        expire_time=None if key.expire_time is None else timestamp(key.expire_time),
        create_time=timestamp(key.create_time),
        update_time=timestamp(key.update_time),
        former_keys=[FormerKey(prefix=each.prefix, expire_time=timestamp(each.expire_time)) for each in key.former_keys],
        last_use_time=None if key.last_use_time is None else timestamp(key.last_use_time),
    )


def quota_message(quota: records.Quota) -> Quota:
    """A quota."""
    return Quota(
        name=f"quotas/{quota.id}",
        subject=Subject(quota.scope, quota.scope_id).name,
        token_limit=quota.token_limit,
        period=period_value(quota.period),
        create_time=timestamp(quota.create_time),
        update_time=timestamp(quota.update_time),
    )


def budget_message(budget: records.Budget) -> Budget:
    """A budget."""
    return Budget(
        name=f"budgets/{budget.id}",
        display_name=budget.display_name,
        subject=Subject(budget.scope, budget.scope_id).name,
        limit_usd_micros=budget.limit_micros,
        period=period_value(budget.period),
        enforced=budget.enforced,
        thresholds=budget.thresholds,
        create_time=timestamp(budget.create_time),
        update_time=timestamp(budget.update_time),
    )


def audit_message(entry: records.AuditEntry) -> AuditEntry:
    """A change."""
    return AuditEntry(
        name=f"audit/{entry.id}",
        create_time=timestamp(entry.create_time),
        tenant=f"tenants/{entry.tenant_id}" if entry.tenant_id else "",
        actor=entry.actor,
        request_id=entry.request_id,
        action=entry.action,
        resource=entry.resource,
        before=entry.before,
        after=entry.after,
    )
