"""Bodies that are not what they should be: a 4xx that names the field at fault, and never more."""

import json

import pytest

from tests.gateway_http.serving import CHAT, Running, call, chat

NOT_JSON = {
    "nothing": b"",
    "an open brace": b"{",
    "a byte of zero": b"\0",
    "a raw control character": b'{"model": "a\0b"}',
    "invalid UTF-8": b'{"model": "\xff"}',
    "a lone surrogate": b'{"model": "\\ud800"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"temperature": NaN}',
    "Infinity": b'{"temperature": -Infinity}',
    "a number beyond all doubles": b'{"temperature": 1e999}',
    "levels without end": b'{"x":' + b"[" * 50_000,
    "2,000 levels": b'{"x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "an array": b"[]",
    "null": b"null",
    "a string": b'"model"',
    "two objects": b"{}{}",
}

DEEP = "[" * 1000 + "]" * 1000

FAULTS: dict[str, tuple[object, str]] = {
    "no model": ({"messages": [{"role": "user", "content": "x"}]}, "model"),
    "no messages": ({"model": "echo"}, "messages"),
    "model null": (chat(model=None), "model"),
    "model a number": (chat(model=3), "model"),
    "model empty": (chat(model=""), "model"),
    "model a path": (chat(model="../../etc/passwd"), "model"),
    "model a path within": (chat(model="echo/../x"), "model"),
    "model of 201 letters": (chat(model="a" * 201), "model"),
    "model with a line break": (chat(model="a\r\nx-injected: 1"), "model"),
    "model with a byte of zero": (chat(model="a\0b"), "model"),
    "messages empty": (chat(messages=[]), "messages"),
    "messages null": (chat(messages=None), "messages"),
    "messages a string": (chat(messages="Hello"), "messages"),
    "messages an object": (chat(messages={}), "messages"),
    "a message a number": (chat(messages=[{"role": "user", "content": "x"}, 1]), "messages[1]"),
    "a message null": (chat(messages=[None]), "messages[0]"),
    "role unknown": (chat(messages=[{"role": "wizard", "content": "x"}]), "messages[0].role"),
    "role missing": (chat(messages=[{"content": "x"}]), "messages[0].role"),
    "role a number": (chat(messages=[{"role": 1, "content": "x"}]), "messages[0].role"),
    "content a number": (chat(messages=[{"role": "user", "content": 1}]), "messages[0].content"),
    "content an object": (chat(messages=[{"role": "user", "content": {}}]), "messages[0].content"),
    "content null": (chat(messages=[{"role": "user", "content": None}]), "messages[0].content"),
    "content missing": (chat(messages=[{"role": "user"}]), "messages[0].content"),
    "content empty": (chat(messages=[{"role": "user", "content": []}]), "messages[0].content"),
    "a part a string": (chat(messages=[{"role": "user", "content": ["x"]}]), "messages[0].content[0]"),
    "a part's type": (chat(messages=[{"role": "user", "content": [{"type": 1}]}]), "messages[0].content[0].type"),
    "an image's address": (
        chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 3}}]}]),
        "messages[0].content[0].image_url.url",
    ),
    "a call's arguments": (
        chat(messages=[{"role": "assistant", "tool_calls": [{"id": "x", "function": {"arguments": {}}}]}]),
        "messages[0].tool_calls[0].function.arguments",
    ),
    "tools an object": (chat(tools={}), "tools"),
    "a tool's name": (
        chat(tools=[{"type": "function", "function": {"name": "a"}}, {"type": "function", "function": {"name": 3}}]),
        "tools[1].function.name",
    ),
    "tool_choice a number": (chat(tool_choice=3), "tool_choice"),
    "stop numbers": (chat(stop=[3]), "stop"),
    "response_format a string": (chat(response_format="json"), "response_format"),
    "logit_bias a string": (chat(logit_bias={"50256": "x"}), "logit_bias.50256"),
    "logit_bias beyond": (chat(logit_bias={"50256": 101}), "logit_bias.50256"),
    "metadata a number": (chat(metadata={"a": 1}), "metadata.a"),
    "stream yes": (chat(stream="yes"), "stream"),
    "stream 1": (chat(stream=1), "stream"),
    "stream_options true": (chat(stream_options=True), "stream_options"),
    "include_usage yes": (chat(stream_options={"include_usage": "yes"}), "stream_options.include_usage"),
    "temperature text": (chat(temperature="hot"), "temperature"),
    "temperature true": (chat(temperature=True), "temperature"),
    "temperature -1": (chat(temperature=-1), "temperature"),
    "temperature 1e308": (chat(temperature=1e308), "temperature"),
    "max_tokens -1": (chat(max_tokens=-1), "max_tokens"),
    "max_tokens 0": (chat(max_tokens=0), "max_tokens"),
    "max_tokens 1.5": (chat(max_tokens=1.5), "max_tokens"),
    "max_tokens 2**63": (chat(max_tokens=2**63), "max_tokens"),
    "max_tokens 10**30": (chat(max_tokens=10**30), "max_tokens"),
    "n 0": (chat(n=0), "n"),
    "n 129": (chat(n=129), "n"),
    "seed 2**63": (chat(seed=2**63), "seed"),
    "top_logprobs 21": (chat(top_logprobs=21), "top_logprobs"),
}

NESTED = {
    "an unknown field": ('"x": DEEP', "x"),
    "messages": ('"messages": DEEP', "messages[0]"),
    "content": ('"messages": [{"role": "user", "content": DEEP}]', "messages[0].content[0]"),
    "an unknown field of a message": ('"messages": [{"role": "user", "content": "a", "x": DEEP}]', "messages[0].x"),
    "parameters": ('"tools": [{"function": {"name": "a", "parameters": {"a": DEEP}}}]', "tools[0].function.parameters"),
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
async def test_a_body_that_is_no_json_object_is_refused(gateway: Running, body: bytes) -> None:
    answer = await call(gateway.port, "POST", CHAT, body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_request", None)


async def test_every_fault_of_a_request_is_refused_with_the_field_that_has_it(gateway: Running) -> None:
    told: dict[str, object] = {}
    for name, (body, _) in FAULTS.items():
        answer = await call(gateway.port, "POST", CHAT, body)
        told[name] = (answer.status, answer.error["type"], answer.error["param"])
    assert told == {name: (400, "invalid_request_error", param) for name, (_, param) in FAULTS.items()}


@pytest.mark.parametrize(("fields", "param"), NESTED.values(), ids=NESTED)
async def test_1000_levels_of_nesting_are_refused_where_they_are(gateway: Running, fields: str, param: str) -> None:
    text = '{"model": "echo", "messages": [{"role": "user", "content": "x"}], ' + fields.replace("DEEP", DEEP) + "}"
    answer = await call(gateway.port, "POST", CHAT, text.encode())
    assert (answer.status, answer.error["param"]) == (400, param)


async def test_200_levels_of_nesting_are_taken(gateway: Running) -> None:
    deep = json.loads("[" * 200 + "]" * 200)
    tools = [{"type": "function", "function": {"name": "a", "parameters": {"x": deep}}}]
    assert (await call(gateway.port, "POST", CHAT, chat(x=deep, tools=tools))).status == 200


async def test_10000_messages_are_taken(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, chat(messages=[{"role": "user", "content": "x"}] * 10_000))
    assert answer.status == 200


async def test_of_a_key_that_is_there_twice_the_last_one_counts(gateway: Running) -> None:
    body = b'{"model": "nobody", "messages": [{"role": "user", "content": "x"}], "model": "echo"}'
    assert (await call(gateway.port, "POST", CHAT, body)).status == 200


async def test_a_byte_of_zero_within_a_text_is_text(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, chat(messages=[{"role": "user", "content": "a\0b"}]))
    choices = answer.json()["choices"]
    assert choices[0]["message"]["content"] == "a\0b"  # type: ignore[index]


async def test_a_model_that_nobody_serves_is_not_found(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, chat(model="nobody"))
    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "model_not_found", "model")


async def test_the_fault_of_a_streamed_request_has_its_status(gateway: Running) -> None:
    answer = await call(gateway.port, "POST", CHAT, chat(stream=True, n=0))
    assert (answer.status, answer.error["param"]) == (400, "n")


OTHERS: dict[str, tuple[str, object, str]] = {
    "prompt missing": ("/v1/completions", {"model": "echo"}, "prompt"),
    "prompt an object": ("/v1/completions", {"model": "echo", "prompt": {}}, "prompt"),
    "prompt mixed": ("/v1/completions", {"model": "echo", "prompt": ["a", 1]}, "prompt"),
    "best_of": ("/v1/completions", {"model": "echo", "prompt": "x", "best_of": 0}, "best_of"),
    "input missing": ("/v1/embeddings", {"model": "echo"}, "input"),
    "input empty": ("/v1/embeddings", {"model": "echo", "input": []}, "input"),
    "input deep": ("/v1/embeddings", {"model": "echo", "input": [[["x"]]]}, "input"),
    "encoding_format": ("/v1/embeddings", {"model": "echo", "input": "x", "encoding_format": "hex"}, "encoding_format"),
    "dimensions": ("/v1/embeddings", {"model": "echo", "input": "x", "dimensions": -1}, "dimensions"),
    "image prompt missing": ("/v1/images/generations", {"model": "echo"}, "prompt"),
    "image n": ("/v1/images/generations", {"model": "echo", "prompt": "x", "n": 11}, "n"),
}


@pytest.mark.parametrize(("path", "body", "param"), OTHERS.values(), ids=OTHERS)
async def test_the_other_paths_name_the_field_at_fault_too(gateway: Running, path: str, body: object, param: str) -> None:
    answer = await call(gateway.port, "POST", path, body)
    assert (answer.status, answer.error["param"]) == (400, param)


@pytest.mark.parametrize("name", ["../x", "%2e%2e%2fx", "a%0d%0ab", "%ff", "%00", "a" * 201])
async def test_the_name_of_a_model_in_a_path_is_checked_too(gateway: Running, name: str) -> None:
    answer = await call(gateway.port, "GET", f"/v1/models/{name}")
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")
