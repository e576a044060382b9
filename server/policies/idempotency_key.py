"""What a caller's idempotency key stands for: whose it is, and which request."""

import hashlib
import re

import orjson

from server.call import Call
from server.caller import Caller
from server.errors import GatewayError, invalid_request
from server.providers.base import Ask
from trunkline.v1.error_reason_pb2 import ErrorReason

KEY = "idempotency-key"
"""The metadata key of an idempotency key."""

_PARAM = "Idempotency-Key"
_ALLOWED = re.compile(r"[!-~]{1,255}")


def key_of(call: Call) -> str:
    """The key that a caller sent.

    Raises:
        GatewayError: INVALID_REQUEST, it is none, or there are several.
    """
    if sum(name == KEY for name, _ in call.context.invocation_metadata() or ()) > 1:
        raise invalid_request(f"`{_PARAM}` must be there once.", _PARAM)
    key = call.metadata[KEY]
    if not isinstance(key, str) or not _ALLOWED.fullmatch(key):
        raise invalid_request(f"`{_PARAM}` must have 1 to 255 visible ASCII characters.", _PARAM)
    return key


def row_id(caller: Caller, key: str) -> str:
    """The name of the key's row, which no other caller's key has."""
    return hashlib.sha256(orjson.dumps([caller.tenant_id, caller.key_id or caller.name, key])).hexdigest()


def body_digest(ask: Ask) -> bytes:
    """What tells requests apart: their bodies, and how they are to be answered."""
    way = orjson.dumps([ask.operation, ask.streamed, ask.as_json])
    return hashlib.sha256(way + ask.request.SerializeToString(deterministic=True)).digest()


def another_body(key: str) -> GatewayError:
    """The key was used for another request."""
    return _taken(
        key, f"The idempotency key `{key}` was used for another request; a key is for one request and its repeats."
    )


def too_large(key: str) -> GatewayError:
    """The request was answered, and the answer is not there to be given again."""
    return _taken(
        key, f"The request with the idempotency key `{key}` was answered already, and its answer was too large to keep."
    )


def _taken(key: str, message: str) -> GatewayError:
    name = f"idempotencyKeys/{key}"
    return GatewayError(ErrorReason.ERROR_REASON_ALREADY_EXISTS, message, metadata={"name": name, "param": _PARAM})
