"""Lets in who holds a key that may do what the method needs."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol

from server.call import Call
from server.caller import ADMIN, COMPLETION, Caller
from server.errors import GatewayError
from trunkline.v1.error_reason_pb2 import ErrorReason

_OPEN = ""
"""The permission that everyone has."""

_PERMISSIONS: Mapping[str, str] = {
    "/trunkline.v1.CompletionService/": COMPLETION,
    "/trunkline.v1.ModelsService/": COMPLETION,
    "/trunkline.v1.ModelsService/RefreshProviderModels": ADMIN,
    "/trunkline.v1.ModelsService/UpdateModelSelection": ADMIN,
    "/trunkline.v1.ModelsService/DeleteModelSelection": ADMIN,
    "/trunkline.v1.MetricsService/GetHealth": _OPEN,
    "/trunkline.v1.MetricsService/ListProviders": COMPLETION,
    "/trunkline.v1.AdminService/": ADMIN,
    "/trunkline.v1.AlertsService/": ADMIN,
}
"""What a method needs: by its full name, or by its service's. A method that is not here needs `admin`."""


class Keys(Protocol):
    """The keys there are."""

    def find(self, digest: bytes) -> tuple[bytes, Caller] | None:
        """The key with this SHA-256 digest, and its holder; None: there is none."""


class ConfiguredKeys:
    """The keys of the configuration, by digest.

    Args:
        holders: each key's holder, by the key's SHA-256 digest.
    """

    def __init__(self, holders: Mapping[bytes, Caller]) -> None:
        self._holders = {digest: (digest, caller) for digest, caller in holders.items()}

    def find(self, digest: bytes) -> tuple[bytes, Caller] | None:
        """The key with this SHA-256 digest, and its holder; None: there is none."""
        return self._holders.get(digest)


def permission(method: str) -> str:
    """The permission that a method needs; empty: none."""
    exact = _PERMISSIONS.get(method)
    if exact is not None:
        return exact
    return _PERMISSIONS.get(method[: method.rfind("/") + 1], ADMIN)


class Auth:
    """Looks at the call's key and sets the call's caller.

    Args:
        keys: the keys there are.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def enter(self, call: Call) -> None:
        """Lets the call in.

        Raises:
            GatewayError: INVALID_API_KEY without a key or with an unknown one; INSUFFICIENT_PERMISSIONS.
        """
        needed = permission(call.method)
        if needed == _OPEN:
            return
        caller = _caller(self._keys, call.metadata)
        if needed not in caller.permissions:
            raise GatewayError(
                ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS,
                f"This API key lacks the permission `{needed}`.",
                metadata={"permission": needed},
            )
        call.caller = caller

    def leave(self, call: Call, error: BaseException | None) -> None:
        """Nothing is left to do."""


def _caller(keys: Keys, metadata: Mapping[str, str | bytes]) -> Caller:
    key = _key(metadata)
    if not key:
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_API_KEY,
            "No API key was given. Send it as `authorization: Bearer KEY` or `x-api-key: KEY`.",
        )
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    found = keys.find(digest)
    if found is None or not hmac.compare_digest(found[0], digest):
        raise GatewayError(ErrorReason.ERROR_REASON_INVALID_API_KEY, "This API key is not known.")
    return found[1]


def _key(metadata: Mapping[str, str | bytes]) -> str:
    """The key as sent: `authorization` comes first where it has one."""
    authorization = metadata.get("authorization")
    if isinstance(authorization, str):
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() == "bearer" and key.strip():
            return key.strip()
    key = metadata.get("x-api-key")  # type: ignore[assignment]
    return key.strip() if isinstance(key, str) else ""
