"""Who asks for a change, and the names of what they ask for."""

import re
import secrets
from dataclasses import dataclass

from server.call import Call
from server.caller import ADMIN
from server.errors import GatewayError, invalid_request
from trunkline.v1.error_reason_pb2 import ErrorReason

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks.

    Attributes:
        name: the name of the caller's key.
        tenant_id: the only tenant that exists for them; empty: all do.
        request_id: the call's.
        action: the RPC's name.
    """

    name: str
    tenant_id: str
    request_id: str
    action: str

    @property
    def operator(self) -> bool:
        """Whether they belong to no tenant."""
        return not self.tenant_id

    @classmethod
    def of(cls, call: Call) -> "Who":
        """Who makes a call."""
        caller = call.caller
        return cls(caller.name, caller.tenant_id, call.request_id, call.method.rpartition("/")[2])


def new_id(collection: str) -> str:
    """An id that nothing has: the collection's first letter and 64 bits of chance."""
    return f"{collection[0]}-{secrets.token_hex(8)}"


def check_id(id_: str, param: str) -> None:
    """Checks an id that somebody chose.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if not _ID.fullmatch(id_):
        raise invalid_request(
            f"`{param}` may have lower-case letters, digits and hyphens, a letter first, no hyphen last, at most 63.", param
        )


def read_name(name: str, collection: str, param: str = "name") -> str:
    """The id in a name such as `tenants/{tenant}`.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    prefix, _, id_ = name.partition("/")
    if prefix != collection or not _ID.fullmatch(id_):
        raise invalid_request(f"`{param}` must be `{collection}/{{{collection.removesuffix('s')}}}`.", param)
    return id_


def not_found(collection: str, id_: str) -> GatewayError:
    """Something is not there, or not for the one who asks."""
    name = f"{collection}/{id_}"
    return GatewayError(ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND, f"There is no `{name}`.", metadata={"name": name})


def taken(name: str, message: str) -> GatewayError:
    """Something is there already."""
    return GatewayError(ErrorReason.ERROR_REASON_ALREADY_EXISTS, message, metadata={"name": name})


def for_operators(what: str) -> GatewayError:
    """Something is for keys that belong to no tenant."""
    return GatewayError(
        ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS,
        f"{what} needs a key with the permission `{ADMIN}` that belongs to no tenant.",
        metadata={"permission": ADMIN},
    )
