"""The scripted Gemini refuses what the real one refuses, and takes what the real one takes."""

import copy

import aiohttp
import pytest

from tests.fakes.dialect import Refused
from tests.fakes.gemini_checks import check_embeddings, check_generation
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor

SAID = {"text": "Hello"}
USER = {"role": "user", "parts": [SAID]}
MODEL = {"role": "model", "parts": [SAID]}
CALL = {"functionCall": {"name": "f", "args": {}}}
SECOND_CALL = {"functionCall": {"id": "b", "name": "g", "args": {}}}
RESULT = {"functionResponse": {"name": "f", "response": {}}}
SECOND_RESULT = {"functionResponse": {"id": "b", "name": "g", "response": {}}}
FUNCTION = {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
TOOLS = [{"functionDeclarations": [FUNCTION]}]
URL = "/v1beta/models/gemini-2.5-flash:generateContent"


def turns(*parts: list[JsonObject]) -> JsonObject:
    """Returns a body whose turns have these parts, the user's and the model's in exchange."""
    return {"contents": [{"role": ("user", "model")[i % 2], "parts": turn} for i, turn in enumerate(parts)]}


def choice(mode: str, *names: str) -> JsonObject:
    allowed = {"allowedFunctionNames": list(names)} if names else {}
    return {"toolConfig": {"functionCallingConfig": {"mode": mode, **allowed}}}


def config(**fields: object) -> JsonObject:
    return {"generationConfig": fields}


GOOD: dict[str, JsonObject] = {
    "plain": {},
    "system": {"systemInstruction": {"parts": [SAID]}, "safetySettings": [], "cachedContent": "cachedContents/1"},
    "turns": {"contents": [USER, MODEL, USER]},
    "results": turns([SAID], [SAID, CALL, SECOND_CALL], [RESULT, SECOND_RESULT, SAID]),
    "media": turns([{"inlineData": {"mimeType": "image/png", "data": "AA=="}}, {"fileData": {"fileUri": "gs://b/a"}}]),
    "signed nothing": turns([SAID], [{"text": "", "thoughtSignature": "s"}], [SAID]),
    "tools": {"tools": [*TOOLS, {"googleSearch": {}}], **choice("ANY", "f")},
    "limits": config(temperature=2, stopSequences=["a"], candidateCount=8, seed=1, maxOutputTokens=1, topK=1),
    "a schema": config(responseMimeType="application/json", responseJsonSchema={"type": "object"}),
    "a budget": config(thinkingConfig={"thinkingBudget": 0, "includeThoughts": True}),
}
BAD: list[tuple[JsonObject, str]] = [
    ({"model": "x"}, 'Unknown name "model": Cannot find field.'),
    ({"contents": []}, "contents is not specified"),
    ({"contents": [{**USER, "name": "Jo"}]}, "Unknown name \"name\" at 'contents[0]'"),
    ({"contents": [{"role": "user", "parts": []}]}, "contents.parts must not be empty"),
    ({"contents": [{"role": "user", "parts": "Hello"}]}, "a message was expected"),
    ({"contents": [USER, USER]}, "alternate between user and model"),
    ({"contents": [MODEL, USER]}, "alternate between user and model"),
    ({"contents": [{"role": "system", "parts": [SAID]}]}, "alternate between user and model"),
    (turns([{"text": ""}]), "a text that is not empty"),
    (turns([{**SAID, "type": "text"}]), 'Unknown name "type"'),
    (turns([{"thought": True}]), "must have one initialized field"),
    (turns([{**SAID, "fileData": {"fileUri": "x"}}]), "must have one initialized field"),
    (turns([{"fileData": {"fileUri": ""}}]), "fileData.fileUri"),
    (turns([{"inlineData": {"mime_type": "x"}}]), 'Unknown name "mime_type"'),
    (turns([SAID], [CALL]), "is followed by its function responses"),
    (turns([SAID], [CALL], [SAID]), "number of function response parts"),
    (turns([SAID], [CALL, SECOND_CALL], [RESULT]), "number of function response parts"),
    (turns([RESULT]), "immediately after a function call turn"),
    (turns([SAID], [CALL], [SECOND_RESULT]), "does not match the function call f"),
    (turns([CALL]), "function calls are the model's"),
    (turns([SAID], [RESULT], [SAID]), "function responses are the user's"),
    (turns([SAID], [{"functionCall": {"name": "f", "args": "{}"}}], [RESULT]), "a struct was expected"),
    ({"systemInstruction": {"parts": [{"fileData": {"fileUri": "x"}}]}}, "takes text only"),
    ({"tools": [{"type": "function"}]}, "Unknown name \"type\" at 'tools[0]'"),
    ({"tools": [{"functionDeclarations": [{**FUNCTION, "strict": True}]}]}, 'Unknown name "strict"'),
    ({"tools": [{"functionDeclarations": [{"name": "no name"}]}]}, "Invalid function name"),
    ({"tools": [*TOOLS, *TOOLS]}, "Duplicate function declaration"),
    (
        {"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "string"}}]}]},
        "should be of OBJECT type",
    ),
    (choice("AUTO"), "without function_declarations"),
    ({"tools": TOOLS, **choice("auto")}, "function_calling_config.mode"),
    ({"tools": TOOLS, **choice("AUTO", "f")}, "only be set when the function calling mode is ANY"),
    ({"tools": TOOLS, **choice("ANY", "g")}, "a name that is not declared"),
    (config(temperature=2.5), "temperature"),
    (config(stopSequences=list("abcdef")), "at most 5 stop sequences"),
    (config(candidateCount=9), "candidate_count"),
    (config(seed=1 << 40), "TYPE_INT32"),
    (config(max_tokens=1), "Unknown name \"max_tokens\" at 'generation_config'"),
    (config(logprobs=1), "without response_logprobs"),
    (config(logprobs=1, responseLogprobs=True), "Logprobs is not enabled"),
    (config(presencePenalty=0.5), "Penalty is not enabled"),
    (config(responseJsonSchema={}), "needs the response mime type"),
    (config(responseMimeType="application/json", responseJsonSchema={"$schema": "x"}), 'Unknown name "$schema"'),
    (config(responseMimeType="application/json", responseJsonSchema={"required": []}), "should be non-empty"),
    (
        config(responseMimeType="application/json", responseJsonSchema={"items": {"$ref": "#", "title": "T"}}),
        "beside $ref",
    ),
    ({"tools": TOOLS, **config(responseMimeType="application/json")}, "is unsupported"),
    (config(thinkingConfig={"thinkingBudget": 1, "thinkingLevel": "LOW"}), "only one of thinking budget"),
    (config(thinkingConfig={"thinkingLevel": "LOW"}), "Thinking level is not supported"),
]


def body_with(change: JsonObject) -> JsonObject:
    return copy.deepcopy({"contents": [USER], **change})


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_a_good_body_is_taken(change: JsonObject) -> None:
    check_generation(body_with(change), "gemini-2.5-flash")


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_a_bad_body_is_refused_with_its_place(change: JsonObject, message: str) -> None:
    with pytest.raises(Refused) as raised:
        check_generation(body_with(change), "gemini-2.5-flash")
    assert message in raised.value.error.message
    assert (raised.value.error.status, raised.value.error.type) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        ("gemini-3-pro-preview", turns([SAID], [CALL], [RESULT]), "missing a thought_signature"),
        ("gemini-3-pro-preview", config(thinkingConfig={"thinkingLevel": "MEDIUM"}), "Thinking level is not supported"),
        ("gemini-2.5-pro", config(thinkingConfig={"thinkingBudget": 0}), "only works in thinking mode"),
        ("gemini-2.0-flash", config(thinkingConfig={"includeThoughts": True}), "not enabled for this model"),
    ],
)
def test_models_differ_in_what_they_take(model: str, change: JsonObject, message: str) -> None:
    with pytest.raises(Refused) as raised:
        check_generation(body_with(change), model)
    assert message in raised.value.error.message


def test_a_newer_model_takes_a_signed_call_and_tools_with_a_form() -> None:
    signed = turns([SAID], [{**CALL, "thoughtSignature": "s"}, SECOND_CALL], [RESULT, SECOND_RESULT])
    check_generation({**signed, "tools": TOOLS, **config(responseMimeType="application/json")}, "gemini-3-flash")


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], "at most 100"),
        ([{"model": "models/m", "content": USER}] * 101, "at most 100"),
        ([{"model": "m", "content": USER}], "unexpected model name format"),
        ([{"model": "models/m", "content": USER, "dimensions": 5}], 'Unknown name "dimensions"'),
        ([{"model": "models/m"}], "a message was expected"),
    ],
)
def test_a_bad_batch_of_texts_is_refused(requests: list[JsonObject], message: str) -> None:
    check_embeddings({"requests": [{"model": "models/m", "content": USER}]}, "models/m")
    with pytest.raises(Refused) as raised:
        check_embeddings({"requests": requests}, "models/m")
    assert message in raised.value.error.message


@pytest.mark.parametrize(
    ("headers", "path", "status", "message"),
    [
        ({"x-goog-api-key": "sk-scripted"}, URL, 200, ""),
        ({"x-goog-api-key": "no"}, URL, 400, "API key not valid"),
        ({"authorization": "Bearer sk-scripted"}, URL, 403, "unregistered callers"),
        ({"x-goog-api-key": "sk-scripted"}, "/v1beta/models", 200, ""),
        ({"x-goog-api-key": "sk-scripted"}, URL.replace(":generate", ":streamGenerate"), 400, "alt=sse"),
        ({"x-goog-api-key": "sk-scripted"}, URL.replace(":generate", ":degenerate"), 404, ""),
    ],
    ids=["key", "wrong key", "no key", "list", "stream in an array", "unknown method"],
)
async def test_key_and_path_decide_first(headers: dict[str, str], path: str, status: int, message: str) -> None:
    async with ScriptedVendor() as vendor, aiohttp.ClientSession(vendor.url) as client:
        if path != URL and status != 200:
            vendor.expect_violation(message)
        method = "GET" if path.endswith("models") else "POST"
        async with client.request(method, path, json=body_with({}), headers=headers) as response:
            body = await response.json()
    assert response.status == status
    assert message in body.get("error", {}).get("message", "")


async def test_a_model_that_is_not_there_is_not_found() -> None:
    async with (
        ScriptedVendor(models=["gemini-3-flash"]) as vendor,
        aiohttp.ClientSession(vendor.url) as client,
        client.post(URL, json=body_with({}), headers={"x-goog-api-key": vendor.key}) as response,
    ):
        body = await response.json()
    assert (response.status, body["error"]["status"]) == (404, "NOT_FOUND")
