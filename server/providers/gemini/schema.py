"""JSON schemas as Gemini takes them for answers and for the arguments of tools.

It takes JSON schema itself, but not every keyword of it; what it does not know goes into the description, where the model
can read it. Source: https://ai.google.dev/gemini-api/docs/structured-output (2026-11).
"""

from typing import cast

from server.providers.parameters import body_bytes

Json = dict[str, object]

_KEPT = frozenset(
    {"type", "title", "description", "enum", "minItems", "maxItems", "minimum", "maximum", "propertyOrdering", "$anchor"}
)
_FORMATS = frozenset({"date-time", "date", "time", "int32", "int64", "float", "double"})
_DROPPED = frozenset({"$schema", "$id", "$comment"})
_DEEPEST = 100


def vendor_schema(schema: Json, depth: int = 0) -> Json:
    """The schema with nothing in it that the vendor would refuse.

    Raises:
        ProviderError: INVALID_REQUEST where it is nested too deeply.
    """
    if depth > _DEEPEST:
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str):  # nothing may stand beside a reference
        definitions = {key: value for key, value in schema.items() if key in ("$defs", "definitions")}
        kept = vendor_schema(definitions, depth) if definitions else {}
        return {"$ref": reference.replace("#/definitions/", "#/$defs/", 1), **kept}
    taken: Json = {}
    unenforced: Json = {}
    for key, value in schema.items():
        match value:
            case dict() if key in ("properties", "$defs", "definitions"):
                if value:  # an empty object is refused
                    name = "$defs" if key == "definitions" else key
                    taken[name] = {inner: _inner(item, depth) for inner, item in value.items()}
            case list() if key in ("anyOf", "prefixItems") or (key == "oneOf" and "anyOf" not in schema):
                taken["anyOf" if key == "oneOf" else key] = [_inner(item, depth) for item in value]
            case [dict()] if key == "allOf":
                pass  # its keys are compared with all others, below
            case dict() | bool() if key == "additionalProperties":
                taken[key] = _inner(value, depth)
            case dict() if key == "items":
                taken[key] = _inner(value, depth)
            case list() if key == "required":
                if value:  # so is an empty list
                    taken[key] = value
            case str() | int() | float() if key == "const" and not isinstance(value, bool):
                taken["enum"] = [value]
            case str() if key == "format" and value in _FORMATS:
                taken[key] = value
            case _ if key in _KEPT:
                taken[key] = value
            case _ if key not in _DROPPED:
                unenforced[key] = value
    match schema.get("allOf"):
        case [dict() as only]:
            inner = vendor_schema(only, depth + 1)
            if not (taken or unenforced) or not inner.keys() & {*taken, "$ref"}:
                taken.update(inner)
            elif "anyOf" not in taken:  # of one schema, any is all
                taken["anyOf"] = [inner]
            else:
                unenforced["allOf"] = [only]
        case _:
            pass
    if unenforced:
        said = taken.get("description")
        also = body_bytes(unenforced).decode()
        taken["description"] = f"{said}\n\n{also}" if isinstance(said, str) and said else also
    return taken


def _inner(value: object, depth: int) -> object:
    return vendor_schema(cast(Json, value), depth + 1) if isinstance(value, dict) else value
