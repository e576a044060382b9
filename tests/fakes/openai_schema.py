"""Says whether a JSON value is what OpenAI's published schema says it is.

In comes the name of a component and a value; out comes nothing, or an AssertionError that names the place of the fault.
The schemas are OpenAI's own (`tests/data/openai_schemas.json` names the commit). Where the published schema and the
observed behaviour differ, `_departures` says so, once, with the reason.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012, SchemaRegistry

DATA = Path(__file__).parents[1] / "data" / "openai_schemas.json"
PREFIX = "#/components/schemas/"
URN = "urn:openai:"


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a value departs from its schema."""

    path: str  # as OpenAI's `param` spells it: `messages[0].content`; empty for the value itself
    message: str


def validate(component: str, instance: object) -> None:
    """Raises AssertionError, with a readable path, unless the value satisfies the component's schema."""
    fault = find_fault(component, instance)
    if fault is not None:
        place = f"{component}.{fault.path}" if fault.path else component
        raise AssertionError(f"{place}: {fault.message}")


def find_fault(component: str, instance: object) -> Fault | None:
    """Returns the most telling departure from the component's schema, or None."""
    error = best_match(_validator(component).iter_errors(instance))
    if error is None:
        return None
    return Fault(path=_path(error), message=error.message[:300])


def unknown_fields(component: str, instance: Mapping[str, object]) -> list[str]:
    """Returns the top-level fields of the value that the component doesn't name, sorted."""
    return sorted(set(instance) - set(_properties(_schemas()[component])))


def _path(error: ValidationError) -> str:
    text = ""
    for step in error.absolute_path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def _properties(schema: object) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    yield from schema.get("properties", ())
    for part in schema.get("allOf", ()):
        yield from _properties(part)
    if "$ref" in schema:
        yield from _properties(_schemas()[schema["$ref"].removeprefix(URN)])


@cache
def _validator(component: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": URN + component}, registry=_registry())


@cache
def _registry() -> SchemaRegistry:
    resources = [(URN + name, DRAFT202012.create_resource(schema)) for name, schema in _schemas().items()]
    registry: SchemaRegistry = Registry()
    return registry.with_resources(resources)


@cache
def _schemas() -> dict[str, dict[str, object]]:
    published = json.loads(DATA.read_text(encoding="utf-8"))["schemas"]
    schemas = {name: _as_json_schema(schema) for name, schema in (published | _departures(published)).items()}
    return {name: schema for name, schema in schemas.items() if isinstance(schema, dict)}


def _departures(published: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Returns the components, widened, in which the published schema is narrower than what OpenAI does."""
    embedding = json.loads(json.dumps(published["Embedding"]))
    # `encoding_format: base64` answers with one string of little-endian float32; the schema knows the array only.
    embedding["properties"]["embedding"] = {"anyOf": [embedding["properties"]["embedding"], {"type": "string"}]}

    completion_chunk = json.loads(json.dumps(published["CreateCompletionResponse"]))
    # A stream of text completions reuses the unary component, but its choices end only in their last chunk, and `usage`
    # is null before the end when it was asked for.
    choice = completion_chunk["properties"]["choices"]["items"]["properties"]
    choice["finish_reason"]["nullable"] = True
    completion_chunk["properties"]["usage"]["nullable"] = True

    # The document closes this one request to unknown fields, and no other; a vendor's strictness is set elsewhere.
    embedding_request = {
        keyword: value for keyword, value in published["CreateEmbeddingRequest"].items() if keyword != "additionalProperties"
    }
    return {
        "Embedding": embedding,
        "CreateCompletionStreamResponse": completion_chunk,
        "CreateEmbeddingRequest": embedding_request,
    }


def _as_json_schema(schema: object) -> object:
    """Rewrites OpenAPI's `nullable` and component references as JSON Schema knows them."""
    if isinstance(schema, list):
        return [_as_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rewritten: dict[str, object] = {}
    for keyword, value in schema.items():
        if keyword == "properties":
            rewritten[keyword] = {name: _as_json_schema(property_schema) for name, property_schema in value.items()}
        elif keyword == "$ref":
            rewritten[keyword] = value.replace(PREFIX, URN)
        elif keyword != "nullable":
            rewritten[keyword] = _as_json_schema(value)
    if schema.get("nullable"):
        return {"anyOf": [rewritten, {"type": "null"}]}
    return rewritten
