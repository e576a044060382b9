"""A JSON schema -> the smallest value that keeps to it, always the same one.

It knows the keywords that describe answers and arguments: types, enum, const, required, lengths, bounds, local references
and combinations, of which the first that leads somewhere is taken. `format`, `pattern`, `not` and conditions are left alone.
"""

import math
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import orjson

Schema = Mapping[str, object]

_MOST_STEPS = 1_000_000
"""How much is done before giving up: characters written, values compared or copied, and schemas looked at."""

_STEPS_OF_SCHEMA = 100

_INTEGERS = 1 << 63
"""Integers are smaller than that, as JSON's writer takes them."""

_BY_KEYWORD = (
    ("object", ("properties", "required", "minProperties", "additionalProperties")),
    ("array", ("items", "prefixItems", "minItems", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


class _NoInstance(Exception):
    """The schema leads only to itself, or is too much."""


def schema_instance(schema: object) -> object:
    """The value; None where the schema allows none that is finite."""
    try:
        return _Maker(schema).make(schema, (), 0)
    except (_NoInstance, RecursionError, OverflowError):
        return None


class _Maker:
    def __init__(self, root: object) -> None:
        self._root = root
        self._left = _MOST_STEPS

    def make(self, schema: object, path: tuple[str, ...], nth: int) -> object:
        """The instance of a schema within references; the nth of several that should differ."""
        self._spend(_STEPS_OF_SCHEMA)
        if schema is False:
            raise _NoInstance
        if not isinstance(schema, Mapping):
            return nth or None
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in path:
                raise _NoInstance
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self.make(self._merged(self._resolved(reference), rest), (*path, reference), nth)
        for keyword in ("allOf", "anyOf", "oneOf"):
            branches = schema.get(keyword)
            if isinstance(branches, list) and branches:
                rest = {key: value for key, value in schema.items() if key != keyword}
                if keyword == "allOf":
                    return self._all_of(rest, branches, path, nth)
                return self._first((self._merged(rest, branch) for branch in branches), path, nth)
        if "const" in schema:
            return self._given(schema["const"])
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._given(choices[nth % len(choices)])
        return self._of_type(schema, path, nth)

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _NoInstance

    def _given(self, value: object) -> object:
        """A value of the schema's own, which may be large and be asked for many times."""
        self._spend(len(orjson.dumps(value)))
        return value

    def _all_of(self, rest: Schema, branches: list[object], path: tuple[str, ...], nth: int) -> object:
        for branch in branches:
            reference = branch.get("$ref") if isinstance(branch, Mapping) else None
            if isinstance(branch, Mapping) and isinstance(reference, str):
                if reference in path:
                    raise _NoInstance
                path = (*path, reference)
                rest = self._merged(rest, {key: value for key, value in branch.items() if key != "$ref"})
                branch = self._resolved(reference)
            rest = self._merged(rest, branch)
        return self.make(rest, path, nth)

    def _first(self, branches: Iterable[Schema], path: tuple[str, ...], nth: int) -> object:
        for branch in branches:
            try:
                return self.make(branch, path, nth)
            except _NoInstance:
                continue
        raise _NoInstance

    def _resolved(self, reference: str) -> object:
        found = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise _NoInstance
        return found

    def _of_type(self, schema: Schema, path: tuple[str, ...], nth: int) -> object:
        kind = schema.get("type")
        if isinstance(kind, list):
            rest = {key: value for key, value in schema.items() if key != "type"}
            return self._first((self._merged(rest, {"type": each}) for each in kind), path, nth)
        if kind is None:
            kind = next((name for name, keys in _BY_KEYWORD if any(key in schema for key in keys)), "null")
        match kind:
            case "object":
                return self._object(schema, path)
            case "array":
                return self._array(schema, path)
            case "string":
                text, length = str(nth) if nth else "", _count(schema, "minLength")
                self._spend(length)
                return text.rjust(length, "x")
            case "integer" | "number":
                return _number(schema, kind == "integer", nth)
            case "boolean":
                return bool(nth % 2)
            case _:
                return None

    def _object(self, schema: Schema, path: tuple[str, ...]) -> dict[str, object]:
        properties = schema.get("properties")
        known: Mapping[str, object] = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        others = schema.get("additionalProperties", True)
        made = {name: self.make(known.get(name, others), path, 0) for name in names}
        more = (name for name in (*known, *(f"property{number}" for number in range(100))) if name not in made)
        while len(made) < min(_count(schema, "minProperties"), 100):
            name = next(more)
            made[name] = self.make(known.get(name, others), path, 0)
        return made

    def _array(self, schema: Schema, path: tuple[str, ...]) -> list[object]:
        first = schema.get("prefixItems")
        places = first if isinstance(first, list) else []
        rest = schema.get("items", True)
        distinct = schema.get("uniqueItems") is True
        size = min(_count(schema, "minItems"), 1000)
        return [
            self.make(places[place] if place < len(places) else rest, path, place if distinct else 0)
            for place in range(size)
        ]

    def _merged(self, schema: object, other: object) -> Schema:
        """A schema that demands what both demand, as far as their keywords can be joined."""
        if not isinstance(schema, Mapping) or not isinstance(other, Mapping):
            if schema is False or other is False:
                raise _NoInstance
            return schema if isinstance(schema, Mapping) else other if isinstance(other, Mapping) else {}
        self._spend(len(schema) + len(other))
        merged = dict(schema)
        for key, value in other.items():
            merged[key] = self._joined(key, merged[key], value) if key in merged else value
        return merged

    def _joined(self, key: str, one: object, two: object) -> object:
        if isinstance(one, Mapping) and isinstance(two, Mapping) and key == "properties":
            self._spend(len(one) + len(two))
            both = {name: {"allOf": [one[name], two[name]]} for name in one if name in two}
            return {**one, **two, **both}
        if isinstance(one, list) and isinstance(two, list):
            self._spend(len(one) * len(two))
        if isinstance(one, list) and isinstance(two, list) and key in ("required", "allOf"):
            return [*one, *(item for item in two if item not in one)]
        if isinstance(one, list) and isinstance(two, list) and key == "enum":
            return [item for item in one if item in two]
        if isinstance(one, int | float) and isinstance(two, int | float):
            smaller = key.startswith(("max", "exclusiveMax"))
            return min(one, two) if smaller else max(one, two)
        if key == "type" and isinstance(one, list):
            return two if two in one else [item for item in one if isinstance(two, list) and item in two]
        if key == "type" and isinstance(two, list):
            return one
        return two


def _count(schema: Schema, key: str) -> int:
    value = schema.get(key)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


def _number(schema: Schema, integer: bool, nth: int) -> int | float:
    """The number within the bounds that is nearest to 0, or above that one by some steps."""
    lower, above = _bound(schema, "minimum", "exclusiveMinimum", -math.inf)
    upper, below = _bound(schema, "maximum", "exclusiveMaximum", math.inf)
    multiple = schema.get("multipleOf")
    step = multiple if isinstance(multiple, int | float) and multiple > 0 else 1 if integer else None
    if step is not None:
        least = (
            -math.inf
            if lower == -math.inf
            else math.ceil(lower / step) + (above and math.ceil(lower / step) * step == lower)
        )
        most = (
            math.inf
            if upper == math.inf
            else math.floor(upper / step) - (below and math.floor(upper / step) * step == upper)
        )
        count = int(least) + nth if least > 0 else int(most) - nth if most < 0 else nth
        return _written(count * step)
    value: float = nth
    if not (lower < value < upper or (value == lower and not above) or (value == upper and not below)):
        value = lower if value <= lower else upper
        if (value == lower and above) or (value == upper and below):
            value = (lower + upper) / 2 if math.isfinite(lower + upper) else lower + 1 if math.isfinite(lower) else upper - 1
    return int(value) if abs(value) < _INTEGERS and value == int(value) else value


def _written(value: int | float) -> int | float:
    """The number, unless it is an integer that JSON's readers do not take."""
    if isinstance(value, int) and abs(value) >= _INTEGERS:
        raise _NoInstance
    return value


def _bound(schema: Schema, inclusive: str, exclusive: str, none: float) -> tuple[float, bool]:
    """The tighter one of a bound's two forms, and whether it excludes itself."""
    values = {key: value for key in (inclusive, exclusive) if isinstance(value := schema.get(key), int | float)}
    pick = max if none < 0 else min
    bound = pick(values.values(), default=none)
    return bound, values.get(exclusive) == bound and not isinstance(values.get(exclusive), bool)
