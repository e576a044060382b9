"""OpenAI's tools, choices of them and schemas in Gemini's form, each checked by the scripted vendor's rules too."""

import pytest

from server.providers.errors import Fault
from server.providers.gemini.schema import vendor_schema
from tests.server.providers.gemini_asking import SCHEMA, TOOLS, refused, written

DECLARED = {"name": "weather", "description": "Tells the weather.", "parametersJsonSchema": SCHEMA}
TIME = {"type": "function", "function": {"name": "time"}}


def config(mode: str, *names: str) -> dict[str, object]:
    allowed = {"allowedFunctionNames": list(names)} if names else {}
    return {"functionCallingConfig": {"mode": mode, **allowed}}


def test_functions_are_declared_together() -> None:
    assert written({"tools": [*TOOLS, TIME]})["tools"] == [{"functionDeclarations": [DECLARED, {"name": "time"}]}]


@pytest.mark.parametrize("parameters", [{}, {"type": "object"}, {"type": "object", "properties": {}, "required": []}])
def test_a_function_without_parameters_has_no_schema(parameters: dict[str, object]) -> None:
    tools = [{"type": "function", "function": {"name": "time", "parameters": parameters, "strict": True}}]
    assert written({"tools": tools})["tools"] == [{"functionDeclarations": [{"name": "time"}]}]


def test_tools_of_the_vendor_are_handed_on_under_either_name() -> None:
    tools = [{"type": "google_search"}, {"type": "urlContext"}, {"type": "file_search", "fileSearchStoreNames": ["s"]}, TIME]
    assert written({"tools": tools})["tools"] == [
        {"functionDeclarations": [{"name": "time"}]},
        {"googleSearch": {}},
        {"urlContext": {}},
        {"fileSearch": {"fileSearchStoreNames": ["s"]}},
    ]


def test_a_search_of_the_web_is_the_vendors_own() -> None:
    assert written({"web_search_options": {}})["tools"] == [{"googleSearch": {}}]
    assert written({"web_search_options": {}, "tools": [{"type": "googleSearch"}]})["tools"] == [{"googleSearch": {}}]


def allowed(mode: str) -> dict[str, object]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [TIME]}}


CHOICES: dict[str, tuple[object, object, list[str]]] = {
    "auto": ("auto", config("AUTO"), ["weather", "time"]),
    "none": ("none", config("NONE"), ["weather", "time"]),
    "required": ("required", config("ANY"), ["weather", "time"]),
    "one": ({"type": "function", "function": {"name": "time"}}, config("ANY", "time"), ["weather", "time"]),
    "some, required": (allowed("required"), config("ANY", "time"), ["weather", "time"]),
    "some": (allowed("auto"), config("AUTO"), ["time"]),
}


@pytest.mark.parametrize(("choice", "expected", "declared"), CHOICES.values(), ids=CHOICES)
def test_choices(choice: object, expected: object, declared: list[str]) -> None:
    body = written({"tools": [*TOOLS, TIME], "tool_choice": choice})
    assert body["toolConfig"] == expected
    (tool,) = body["tools"]  # type: ignore[misc]
    assert [function["name"] for function in tool["functionDeclarations"]] == declared  # type: ignore[has-type]


def test_a_choice_without_functions_is_none() -> None:
    assert "toolConfig" not in written({"tools": [{"type": "google_search"}], "tool_choice": "auto"})


@pytest.mark.parametrize("given", [{"tools": [{"type": "custom"}]}, {"tool_choice": {"type": "custom"}}])
def test_what_the_vendor_does_not_have_is_refused(given: dict[str, object]) -> None:
    assert refused(given) == (Fault.UNSUPPORTED, next(iter(given)))


def test_parameters_that_are_no_object_are_the_callers_fault() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": [1]}}]
    assert refused({"tools": tools}) == (Fault.INVALID_REQUEST, "tools.function.parameters")


SCHEMAS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "kept": (
        {"type": ["string", "null"], "enum": ["a"], "title": "T", "description": "D"},
        {"type": ["string", "null"], "enum": ["a"], "title": "T", "description": "D"},
    ),
    "its dialect": ({"$schema": "x", "$id": "y", "type": "string"}, {"type": "string"}),
    "a constant": ({"const": "a"}, {"enum": ["a"]}),
    "a constant that no enum takes": ({"const": True}, {"description": '{"const":true}'}),
    "known formats": ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
    "other formats": (
        {"type": "string", "format": "email", "description": "Whose."},
        {"type": "string", "description": 'Whose.\n\n{"format":"email"}'},
    ),
    "unknown keywords": ({"type": "string", "pattern": "a+"}, {"type": "string", "description": '{"pattern":"a+"}'}),
    "one of": ({"oneOf": [{"const": 1}, {"type": "null"}]}, {"anyOf": [{"enum": [1]}, {"type": "null"}]}),
    "all of one": ({"allOf": [{"type": "string"}], "description": "D"}, {"type": "string", "description": "D"}),
    "all of one reference": (
        {"allOf": [{"$ref": "#/$defs/A"}], "description": "D", "$defs": {"A": {"const": 1}}},
        {"anyOf": [{"$ref": "#/$defs/A"}], "description": "D", "$defs": {"A": {"enum": [1]}}},
    ),
    "all of one reference alone": (
        {"properties": {"a": {"allOf": [{"$ref": "#/$defs/A"}]}}, "$defs": {"A": {"const": 1}}},
        {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": [1]}}},
    ),
    "all of one reference, with a default": (
        {"allOf": [{"$ref": "#/$defs/A"}], "default": 1},
        {"anyOf": [{"$ref": "#/$defs/A"}], "description": '{"default":1}'},
    ),
    "all of one that says something else": (
        {"allOf": [{"required": ["a"], "pattern": "p"}], "required": ["b"], "description": "D"},
        {"anyOf": [{"required": ["a"], "description": '{"pattern":"p"}'}], "required": ["b"], "description": "D"},
    ),
    "all of one and any": (
        {"allOf": [{"anyOf": [{"type": "string"}]}], "oneOf": [{"type": "null"}]},
        {"anyOf": [{"type": "null"}], "description": '{"allOf":[{"anyOf":[{"type":"string"}]}]}'},
    ),
    "any and one": (
        {"anyOf": [{"type": "string"}], "oneOf": [{"type": "null"}]},
        {"anyOf": [{"type": "string"}], "description": '{"oneOf":[{"type":"null"}]}'},
    ),
    "a format that is none": ({"format": ["date"]}, {"description": '{"format":["date"]}'}),
    "tuples": (
        {"prefixItems": [{"const": 1}], "items": False},
        {"prefixItems": [{"enum": [1]}], "description": '{"items":false}'},
    ),
    "inner ones": (
        {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}, "required": []},
        {"type": "object", "properties": {"a": {"enum": [1]}}, "additionalProperties": {"enum": [2]}},
    ),
    "properties named as keywords": (
        {"properties": {"pattern": {"type": "string"}}},
        {"properties": {"pattern": {"type": "string"}}},
    ),
    "lists": (
        {"type": "array", "items": {"const": 1}, "minItems": 1, "uniqueItems": True},
        {"type": "array", "items": {"enum": [1]}, "minItems": 1, "description": '{"uniqueItems":true}'},
    ),
    "references": (
        {
            "properties": {"a": {"$ref": "#/definitions/A", "description": "D"}},
            "definitions": {"A": {"const": 1}},
        },
        {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": [1]}}},
    ),
    "a reference at the top": (
        {"$ref": "#/$defs/A", "$defs": {"A": {"const": 1}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"enum": [1]}}},
    ),
}


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS.values(), ids=SCHEMAS)
def test_schemas(schema: dict[str, object], expected: dict[str, object]) -> None:
    assert vendor_schema(schema) == expected
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    assert written({"response_format": form})["generationConfig"]["responseJsonSchema"] == expected  # type: ignore[index]


def test_a_schema_that_is_nested_without_end_is_cut() -> None:
    deep: dict[str, object] = {"type": "string"}
    for _ in range(200):
        deep = {"items": deep}
    assert str(vendor_schema(deep)).count("items") == 101
