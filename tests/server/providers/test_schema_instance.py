"""The smallest value of a schema keeps to it, as the jsonschema package sees it."""

import contextlib

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.providers.echo.no_instance import NoInstanceError
from server.providers.echo.schema_instance import schema_instance

TREE: dict[str, object] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 2}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["name", "next"],
}
SCHEMAS: dict[str, tuple[dict[str, object], object]] = {
    "a string": ({"type": "string"}, ""),
    "a string of a length": ({"type": "string", "minLength": 3}, "xxx"),
    "a positive integer": ({"type": "integer", "exclusiveMinimum": 0}, 1),
    "a multiple": ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
    "a negative number": ({"type": "number", "maximum": -1.5}, -1.5),
    "a number between": ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
    "a list of types": ({"type": ["null", "string"]}, None),
    "an enum": ({"type": "string", "enum": ["red", "green"]}, "red"),
    "a const": ({"const": {"a": 1}}, {"a": 1}),
    "an array": ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
    "an array of distinct items": (
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 3, "uniqueItems": True},
        [1, 2, 3],
    ),
    "a tuple": ({"type": "array", "prefixItems": [{"type": "string"}, {"const": 7}], "minItems": 2}, ["", 7]),
    "required properties only": (
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]},
        {"a": 0},
    ),
    "a number of properties": (
        {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1},
        {"property0": 0},
    ),
    "an object without a type": ({"properties": {"a": {"minimum": 3}}, "required": ["a"]}, {"a": 3}),
    "a reference": (
        {
            "$ref": "#/$defs/a~1b",
            "$defs": {"a/b": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/c"}}, "c": {"enum": [5]}},
        },
        [5],
    ),
    "a reference that leads back": (TREE, {"name": "xx", "next": {"name": "xx", "next": None}}),
    "the first of any": ({"anyOf": [{"type": "integer", "minimum": 2}, {"type": "string"}]}, 2),
    "the first of one": ({"type": "object", "oneOf": [{"required": ["a"], "properties": {"a": {"const": 1}}}]}, {"a": 1}),
    "all of several": (
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]},
                {"properties": {"a": {"minimum": 4}, "b": {"type": "string"}}, "required": ["b"]},
            ]
        },
        {"a": 4, "b": ""},
    ),
}


@pytest.mark.parametrize(("schema", "instance"), SCHEMAS.values(), ids=SCHEMAS)
def test_the_instance_is_the_smallest_one(schema: dict[str, object], instance: object) -> None:
    made = schema_instance(schema)
    assert made == instance
    jsonschema.validate(made, schema)


ODD: dict[str, dict[str, object]] = {
    "a fraction's multiple": {"type": "number", "minimum": 0.25, "multipleOf": 0.1},
    "a multiple above a bound": {"type": "number", "exclusiveMinimum": 0.1, "multipleOf": 0.01},
    "a negative multiple": {"type": "number", "maximum": -0.25, "multipleOf": 0.1},
    "an integer's fractional multiple": {"type": "integer", "minimum": 1, "multipleOf": 1.5},
    "one of two that overlap": {"oneOf": [{"type": "integer"}, {"type": "integer", "minimum": 0}, {"type": "string"}]},
    "one of a number and an integer": {"oneOf": [{"type": "number"}, {"type": "integer"}]},
    "any within all": {"allOf": [{"type": "integer", "multipleOf": 4}, {"multipleOf": 6, "minimum": 1}]},
    "a pattern": {"type": "string", "pattern": r"^[A-Z]{2}-\d{4}$"},
    "a pattern of alternatives": {"type": "string", "pattern": r"^(?:red|green)+(\.[a-z]+)?$"},
    "a pattern that begins anywhere": {"type": "string", "pattern": "b+", "minLength": 4},
    **{
        f"a format: {each}": {"type": "string", "format": each}
        for each in ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
    },
    "distinct items of an enum": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": True},
    "no choice of the enum's first": {"enum": [1, 5, 9], "minimum": 4},
    "not the smallest": {"type": "integer", "not": {"const": 0}},
    "a definition beside": {"$defs": {"a": {"enum": ["x"]}}, "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]},
}


@pytest.mark.parametrize("schema", ODD.values(), ids=ODD)
def test_odd_schemas_have_an_instance_that_keeps_to_them(schema: dict[str, object]) -> None:
    jsonschema.validate(schema_instance(schema), schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


IMPOSSIBLE: dict[str, object] = {
    "bounds that cross": {"type": "integer", "minimum": 3, "maximum": 2},
    "no multiple between": {"type": "number", "minimum": 0.11, "maximum": 0.19, "multipleOf": 0.1},
    "lengths that cross": {"type": "string", "minLength": 3, "maxLength": 2},
    "one of two that are the same": {"oneOf": [{"type": "string"}, {"type": "string"}]},
    "more distinct items than there are": {
        "type": "array",
        "items": {"enum": ["a", "b"]},
        "minItems": 3,
        "uniqueItems": True,
    },
    "a pattern that nobody knows": {"type": "string", "pattern": r"^(?=a)\p{L}$"},
    "a choice beside a pattern": {"enum": ["a"], "pattern": "b"},
    "a const beside another type": {"const": 1, "type": "string"},
    "a property that may not be there": {"properties": {}, "required": ["a"], "additionalProperties": False},
}


@pytest.mark.parametrize("schema", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_kept_to_has_no_instance(schema: object) -> None:
    with pytest.raises(NoInstanceError):
        schema_instance(schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"anyOf": [False]},
    ],
)
def test_a_schema_without_a_finite_instance_gives_nothing(schema: object) -> None:
    with pytest.raises(NoInstanceError):
        schema_instance(schema)


NAMES = [f"name{number}" for number in range(20_000)]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 1_000_000_000},
        {"type": "string", "minLength": 1e300},
        {"type": "array", "minItems": 1000, "items": {"type": "string", "minLength": 100_000}},
        {"type": "array", "minItems": 1000, "items": {"const": "x" * 100_000}},
        {"type": "array", "minItems": 1000, "items": {"enum": ["x" * 100_000]}},
        {"allOf": [{"enum": NAMES}, {"enum": NAMES[::-1]}]},
        {"type": NAMES, **dict.fromkeys(NAMES)},
        {"enum": [[0] * 10_000], "not": {"enum": [[0] * 9999 + [1]] * 100}},
        {"const": ["x" * 200_000], "not": {"anyOf": [{"uniqueItems": True, "contains": False}] * 10}},
        {"required": NAMES[:5000], "not": {"anyOf": [{"required": [*NAMES[:5000], "another"]}] * 200}},
    ],
    ids=[
        *("a length", "a length past all", "lengths", "consts", "enums", "enums of each other", "types"),
        *("values that differ at their ends", "long items that are told apart", "names that are all there but one"),
    ],
)
def test_a_schema_that_is_small_beside_its_instance_or_its_work_is_given_up(schema: object) -> None:
    with pytest.raises(NoInstanceError):
        schema_instance(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 1e300},
        {"type": "number", "minimum": 1e308},
        {"type": "number", "exclusiveMaximum": -1.7e308},
        {"type": "number", "minimum": 1e300, "multipleOf": 1e-300},
    ],
)
def test_numbers_past_all_integers_can_be_written(schema: object) -> None:
    orjson.dumps(schema_instance(schema))


def test_schemas_that_multiply_are_given_up() -> None:
    levels = {f"l{n}": {"type": "array", "minItems": 9, "items": {"$ref": f"#/$defs/l{n + 1}"}} for n in range(12)}
    with pytest.raises(NoInstanceError):
        schema_instance({"$defs": levels, "$ref": "#/$defs/l0"})


BOUNDS = st.integers(-50, 50)
LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span}, BOUNDS, st.integers(0, 9)),
    st.builds(lambda low: {"type": "integer", "exclusiveMaximum": low, "multipleOf": 3}, BOUNDS),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low, "maximum": low + 0.25}, BOUNDS),
    st.builds(lambda size: {"type": "string", "minLength": size}, st.integers(0, 5)),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(), min_size=1)),
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda items, size: {"type": "array", "items": items, "minItems": size}, inner, st.integers(0, 3)),
        st.builds(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties),
                "additionalProperties": False,
            },
            st.dictionaries(st.text(max_size=3), inner, max_size=3),
        ),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@given(NESTED)
def test_any_instance_keeps_to_its_schema(schema: dict[str, object]) -> None:
    jsonschema.validate(schema_instance(schema), schema)


WILD = st.recursive(
    st.one_of(
        LEAVES,
        st.builds(
            lambda low, step: {"type": "number", "minimum": low, "multipleOf": step},
            st.integers(-9, 9).map(lambda tenths: tenths / 10),
            st.sampled_from([0.5, 0.25, 1.5, 3, 0.01]),
        ),
        st.builds(lambda value: {"const": value}, st.sampled_from([0, 1, 1.5, "", "a", True, None])),
    ),
    lambda inner: st.one_of(
        st.builds(lambda one, two: {"oneOf": [one, two]}, inner, inner),
        st.builds(lambda one, two: {"allOf": [one, two]}, inner, inner),
        st.builds(lambda one, two: {**one, "not": two}, inner, inner),
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 2, "uniqueItems": True}, inner),
        st.builds(lambda inside: {"type": "object", "properties": {"a": inside}, "required": ["a"]}, inner),
    ),
    max_leaves=6,
)


@given(WILD)
def test_an_instance_keeps_to_its_schema_or_there_is_none(schema: dict[str, object]) -> None:
    with contextlib.suppress(NoInstanceError):
        jsonschema.validate(schema_instance(schema), schema)
