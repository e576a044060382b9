"""JSON schemas as Anthropic takes them for answers and strict tools: closed objects, and no keyword that it refuses.

What it cannot enforce goes into the description, where the model can read it. The keywords are those that the vendor's own
package leaves standing (anthropic 2.11, `lib/_parse/_transform.py`, read 2026-11).
"""

from typing import cast

from server.providers.extra_fields import json_object
from server.providers.parameters import body_bytes
from trunkline.v1.chat_pb2 import FunctionDefinition

_KEPT = frozenset(
    {"type", "enum", "const", "description", "title", "default", "required", "$ref", "anyOf", "allOf", "items"}
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_DEEPEST = 100


def closed_schema(schema: dict[str, object], depth: int = 0) -> dict[str, object]:
    """The schema with its objects closed and with nothing in it that the vendor would refuse.

    Raises:
        ProviderError: INVALID_REQUEST where it is nested too deeply.
    """
    if depth > _DEEPEST:
        return {}
    closed: dict[str, object] = {}
    unenforced: dict[str, object] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            closed[key] = {name: _inner(item, depth) for name, item in value.items()}
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            closed["anyOf" if key == "oneOf" else key] = [_inner(item, depth) for item in value]
        elif key == "items" and isinstance(value, dict):
            closed[key] = _inner(value, depth)
        elif (
            key in _KEPT
            or (key == "minItems" and value in (0, 1))
            or (key == "format" and isinstance(value, str) and value in _FORMATS)
        ):
            closed[key] = value
        elif key not in ("additionalProperties", "$schema", "$id"):
            unenforced[key] = value
    if schema.get("type") == "object" or "properties" in schema:
        closed.setdefault("type", "object")
        closed["additionalProperties"] = False
    if unenforced:
        said = closed.get("description")
        also = body_bytes(unenforced).decode()
        closed["description"] = f"{said}\n\n{also}" if isinstance(said, str) and said else also
    return closed


def input_schema(function: FunctionDefinition, strict: bool) -> dict[str, object]:
    """The schema of what a function takes, which is an object; closed, where calls are to be held to it.

    Raises:
        ProviderError: INVALID_REQUEST where the request has no JSON object as its schema.
    """
    if not function.HasField("parameters_json"):
        return {"type": "object", "properties": {}} | ({"additionalProperties": False} if strict else {})
    schema = json_object(function.parameters_json, "tools.function.parameters")
    schema = closed_schema(schema) if strict else schema
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}


def _inner(value: object, depth: int) -> object:
    return closed_schema(cast(dict[str, object], value), depth + 1) if isinstance(value, dict) else value
