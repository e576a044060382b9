"""Lets in who holds a key that may do what the method needs."""

import hashlib
import hmac
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import cache

from server.call import Call
from server.caller import ADMIN, COMPLETION, METRICS_READ, MODELS_READ
from server.errors import GatewayError
from server.tenancy.keys import Keys, Standing
from trunkline.v1.error_reason_pb2 import ErrorReason


@dataclass(frozen=True, slots=True)
class Need:
    """What a method needs of a key.

    Attributes:
        permissions: one of these; none: nobody needs a key.
        tenants: whether the key may belong to a tenant.
    """

    permissions: tuple[str, ...]
    tenants: bool = True


OPEN = Need(())
OPERATORS = Need((ADMIN,), tenants=False)
_ADMINS, _COMPLETIONS = Need((ADMIN,)), Need((COMPLETION,))
_SCRAPERS, _READERS = Need((METRICS_READ, ADMIN), tenants=False), Need((METRICS_READ, ADMIN))
_MODELS, _METRICS = Need((MODELS_READ, COMPLETION)), Need((METRICS_READ, COMPLETION))

_ADMIN_SERVICE = "/trunkline.v1.AdminService/"
_NEEDS: Mapping[str, Need] = {
    "/trunkline.v1.CompletionService/": _COMPLETIONS,
    "/trunkline.v1.ModelsService/ListModels": _MODELS,
    "/trunkline.v1.ModelsService/GetModel": _MODELS,
    "/trunkline.v1.ModelsService/ListProviderModels": _MODELS,
    "/trunkline.v1.ModelsService/GetProviderModel": _MODELS,
    "/trunkline.v1.ModelsService/GetModelSelection": _MODELS,
    "/trunkline.v1.ModelsService/ExplainRoute": _MODELS,
    "/trunkline.v1.MetricsService/GetHealth": OPEN,
    "/trunkline.v1.MetricsService/ListProviders": _METRICS,
    "/trunkline.v1.MetricsService/ExportPrometheus": _SCRAPERS,
    "/trunkline.v1.MetricsService/ListCompletions": _READERS,
    "/trunkline.v1.MetricsService/GetCompletion": _READERS,
    "/trunkline.v1.AlertsService/ListAlerts": _ADMINS,
    f"{_ADMIN_SERVICE}GetTenant": _ADMINS,
    f"{_ADMIN_SERVICE}ListTenants": _ADMINS,
    f"{_ADMIN_SERVICE}UpdateTenant": _ADMINS,
    f"{_ADMIN_SERVICE}CreateUser": _ADMINS,
    f"{_ADMIN_SERVICE}GetUser": _ADMINS,
    f"{_ADMIN_SERVICE}ListUsers": _ADMINS,
    f"{_ADMIN_SERVICE}UpdateUser": _ADMINS,
    f"{_ADMIN_SERVICE}DeleteUser": _ADMINS,
    f"{_ADMIN_SERVICE}CreateApiKey": _ADMINS,
    f"{_ADMIN_SERVICE}GetApiKey": _ADMINS,
    f"{_ADMIN_SERVICE}ListApiKeys": _ADMINS,
    f"{_ADMIN_SERVICE}UpdateApiKey": _ADMINS,
    f"{_ADMIN_SERVICE}DeleteApiKey": _ADMINS,
    f"{_ADMIN_SERVICE}RotateApiKey": _ADMINS,
    f"{_ADMIN_SERVICE}CreateQuota": _ADMINS,
    f"{_ADMIN_SERVICE}GetQuota": _ADMINS,
    f"{_ADMIN_SERVICE}ListQuotas": _ADMINS,
    f"{_ADMIN_SERVICE}UpdateQuota": _ADMINS,
    f"{_ADMIN_SERVICE}DeleteQuota": _ADMINS,
    f"{_ADMIN_SERVICE}CreateBudget": _ADMINS,
    f"{_ADMIN_SERVICE}GetBudget": _ADMINS,
    f"{_ADMIN_SERVICE}ListBudgets": _ADMINS,
    f"{_ADMIN_SERVICE}UpdateBudget": _ADMINS,
    f"{_ADMIN_SERVICE}DeleteBudget": _ADMINS,
    f"{_ADMIN_SERVICE}ListAuditEntries": _ADMINS,
}
"""What a method needs: by its full name, or by its service's. One that is not here is for operators."""


@cache
def need_of(method: str) -> Need:
    """What a method needs."""
    exact = _NEEDS.get(method)
    if exact is not None:
        return exact
    return _NEEDS.get(method[: method.rfind("/") + 1], OPERATORS)


class Auth:
    """Looks at the call's key and sets the call's caller.

    Args:
        keys: the keys there are.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def enter(self, call: Call) -> Awaitable[None] | None:
        """Lets the call in; waits only where its key has to be looked up.

        Raises:
            GatewayError: INVALID_API_KEY without a key, with an unknown one, and with one that is disabled or has expired;
                INSUFFICIENT_PERMISSIONS; OVERLOADED when nobody can tell whether there is such a key.
        """
        need = need_of(call.method)
        if not need.permissions:
            return None
        digest = _digest(call.metadata)
        standing = self._keys.cached(digest)
        if standing is None:
            return self._look_up(call, need, digest)
        _admit(call, need, digest, standing)
        return None

    def leave(self, call: Call, error: BaseException | None) -> None:
        """Nothing is left to do."""

    async def _look_up(self, call: Call, need: Need, digest: bytes) -> None:
        _admit(call, need, digest, await self._keys.find(digest))


def _admit(call: Call, need: Need, digest: bytes, standing: Standing) -> None:
    """Sets the caller, if the key is one that may do this."""
    if not hmac.compare_digest(standing.digest, digest) or standing.refusal:
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_API_KEY, standing.refusal)
    caller = standing.caller
    if caller.permissions.isdisjoint(need.permissions):
        raise _denial(f"This API key lacks the permission `{need.permissions[0]}`.", need)
    if caller.tenant_id and not need.tenants:
        raise _denial(f"This needs a key with the permission `{need.permissions[0]}` that belongs to no tenant.", need)
    call.caller = caller


def _denial(message: str, need: Need) -> GatewayError:
    metadata = {"permission": need.permissions[0]}
    return GatewayError(ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS, message, metadata=metadata)


def _digest(metadata: Mapping[str, str | bytes]) -> bytes:
    """The SHA-256 of the call's key."""
    key = _key(metadata)
    if not key:
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_API_KEY,
            "No API key was given. Send it as `authorization: Bearer KEY` or `x-api-key: KEY`.",
        )
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _key(metadata: Mapping[str, str | bytes]) -> str:
    """The key as sent: `authorization` comes first where it has one."""
    authorization = metadata.get("authorization")
    if isinstance(authorization, str):
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() == "bearer" and key.strip():
            return key.strip()
    other = metadata.get("x-api-key")
    return other.strip() if isinstance(other, str) else ""
