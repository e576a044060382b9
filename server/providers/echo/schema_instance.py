"""A JSON schema -> the smallest value that keeps to it, always the same one.

It knows the keywords that describe answers and arguments: types, enum, const, required, lengths, bounds, formats, plain
patterns, local references and combinations, of which the first that leads somewhere is taken. What it makes is checked
against the whole schema, so that one that asks for more than is known here gives nothing.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import orjson

from server.providers.echo.no_instance import NoInstanceError
from server.providers.echo.number_instance import common_multiple, number
from server.providers.echo.pattern_instance import pattern_instance
from server.providers.echo.schema_check import Rules, keeps, same

Schema = Mapping[str, object]

_MOST_STEPS = 1_000_000
"""How much is done before giving up: characters written, values compared or copied, and schemas looked at."""

_STEPS_OF_SCHEMA = 100

_EXCLUDING = ("oneOf", "not", "if", "then", "else")
"""Keywords by which a value can be wrong that nothing else is against."""

_BY_KEYWORD = (
    ("object", ("properties", "required", "minProperties", "additionalProperties")),
    ("array", ("items", "prefixItems", "minItems", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


_FORMATS: Mapping[str, str] = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "a@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "uri": "https://example.com/",
}

_PROBES: tuple[object, ...] = (0.5, -0.5, 1.5, 0, 1, -1, "a", "", True, False, None, [], {})
"""What is tried where branches exclude each other."""

_VARIANTS = 4


def schema_instance(schema: object) -> object:
    """The value.

    Raises:
        NoInstanceError: none is found.
    """
    maker = _Maker(schema)
    try:
        value = maker.make(schema, (), 0)
        if keeps(value, schema, maker.rules):
            return value
    except (RecursionError, OverflowError, ValueError, TypeError):
        raise NoInstanceError from None
    raise NoInstanceError


class _Maker:
    def __init__(self, root: object) -> None:
        self._root = root
        self._left = _MOST_STEPS
        self.rules = Rules(self._resolved, self._spend)

    def make(self, schema: object, path: tuple[str, ...], nth: int) -> object:
        """The instance of a schema within references; the nth of several that should differ."""
        self._spend(_STEPS_OF_SCHEMA)
        if schema is False:
            raise NoInstanceError
        if not isinstance(schema, Mapping):
            return nth or None
        if any(keyword in schema for keyword in _EXCLUDING):
            return self._chosen(schema, path, nth)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in path:
                raise NoInstanceError
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return self.make(self._merged(self._resolved(reference), rest), (*path, reference), nth)
        for keyword in ("allOf", "anyOf"):
            branches = schema.get(keyword)
            if isinstance(branches, list) and branches:
                rest = {key: value for key, value in schema.items() if key != keyword}
                if keyword == "allOf":
                    return self._all_of(rest, branches, path, nth)
                return self._first((self._merged(rest, branch) for branch in branches), path, nth)
        choices = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(choices, list):
            if "pattern" in schema:
                raise NoInstanceError
            self._spend(len(choices))
            rest = {key: value for key, value in schema.items() if key != "enum"}
            allowed = choices if rest.keys() <= {"type"} else [each for each in choices if keeps(each, rest, self.rules)]
            if not allowed:
                raise NoInstanceError
            return self._given(allowed[nth % len(allowed)])
        return self._of_type(schema, path, nth)

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise NoInstanceError

    def _given(self, value: object) -> object:
        """A value of the schema's own, which may be large and be asked for many times."""
        self._spend(len(orjson.dumps(value)))
        return value

    def _all_of(self, rest: Schema, branches: list[object], path: tuple[str, ...], nth: int) -> object:
        for branch in branches:
            reference = branch.get("$ref") if isinstance(branch, Mapping) else None
            if isinstance(branch, Mapping) and isinstance(reference, str):
                if reference in path:
                    raise NoInstanceError
                path = (*path, reference)
                rest = self._merged(rest, {key: value for key, value in branch.items() if key != "$ref"})
                branch = self._resolved(reference)
            rest = self._merged(rest, branch)
        return self.make(rest, path, nth)

    def _first(self, branches: Iterable[Schema], path: tuple[str, ...], nth: int) -> object:
        for branch in branches:
            try:
                return self.make(branch, path, nth)
            except NoInstanceError:
                continue
        raise NoInstanceError

    def _chosen(self, schema: Schema, path: tuple[str, ...], nth: int) -> object:
        """An instance where some values are excluded: the first of several that is not."""
        rest = {key: value for key, value in schema.items() if key not in _EXCLUDING}
        branches = schema.get("oneOf")
        starts = [self._merged(rest, each) for each in branches] if isinstance(branches, list) else [rest]
        for start in starts:
            for variant in range(nth, nth + _VARIANTS):
                try:
                    value = self.make(start, path, variant)
                except NoInstanceError:
                    break
                if keeps(value, schema, self.rules):
                    return value
        for value in _PROBES:
            if keeps(value, schema, self.rules):
                return value
        raise NoInstanceError

    def _resolved(self, reference: str) -> object:
        found = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise NoInstanceError
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
                return self._text(schema, nth)
            case "integer" | "number":
                return number(schema, kind == "integer", nth)
            case "boolean":
                return bool(nth % 2)
            case _:
                return None

    def _text(self, schema: Schema, nth: int) -> str:
        length = _count(schema, "minLength")
        self._spend(length)
        pattern, form = schema.get("pattern"), _FORMATS.get(str(schema.get("format")))
        if isinstance(pattern, str):
            if form is not None:
                raise NoInstanceError
            self._spend(len(pattern))
            text = pattern_instance(pattern)
            return text if "^" in pattern else text.rjust(length, "x")
        return (str(nth) if nth else "").rjust(length, "x") if form is None else form

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
                raise NoInstanceError
            return schema if isinstance(schema, Mapping) else other if isinstance(other, Mapping) else {}
        self._spend(len(schema) + len(other))
        merged = dict(schema)
        for key, value in other.items():
            merged[key] = self._joined(key, merged[key], value) if key in merged else value
        return merged

    def _among(self, value: object, values: list[object]) -> bool:
        return any(same(value, each, self.rules) for each in values)

    def _joined(self, key: str, one: object, two: object) -> object:
        if isinstance(one, Mapping) and isinstance(two, Mapping) and key == "properties":
            self._spend(len(one) + len(two))
            both = {name: {"allOf": [one[name], two[name]]} for name in one if name in two}
            return {**one, **two, **both}
        if isinstance(one, list) and isinstance(two, list) and key in ("required", "allOf"):
            return [*one, *(item for item in two if not self._among(item, one))]
        if isinstance(one, list) and isinstance(two, list) and key == "enum":
            return [item for item in one if self._among(item, two)]
        if isinstance(one, int | float) and isinstance(two, int | float):
            if key == "multipleOf":
                return common_multiple(one, two)
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
