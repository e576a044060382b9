"""Whatever JSON the body is, the front answers, and never with a fault of its own."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway_http.serving import CHAT, Caller, Running, connected, request_bytes, running

KEYS = st.sampled_from(
    (
        *("model", "messages", "role", "content", "type", "text", "tools", "function", "name", "parameters", "tool_calls"),
        *(
            "tool_choice",
            "stop",
            "stream",
            "stream_options",
            "include_usage",
            "n",
            "temperature",
            "max_tokens",
            "logit_bias",
        ),
        *("response_format", "json_schema", "schema", "arguments", "id", "nulls", "extra_json", "prompt", "input"),
    )
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=10)
    | st.sampled_from(["echo", "user", "assistant", "function", "text", "json_schema", "auto", "required"])
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
NEAR_MISSES = st.fixed_dictionaries(
    {"model": st.just("echo"), "messages": st.just([{"role": "user", "content": "x"}])},
    optional=dict.fromkeys(("tools", "tool_choice", "stop", "stream", "response_format", "functions", "x"), DOCUMENTS),
) | st.fixed_dictionaries({"model": st.just("echo"), "messages": st.lists(DOCUMENTS, max_size=3)})
PATHS = st.sampled_from([CHAT, CHAT, "/v1/completions", "/v1/embeddings", "/v1/images/generations"])


@pytest.fixture(scope="module")
def loop_and_caller() -> Iterator[tuple[asyncio.Runner, Running, Caller]]:
    """One gateway and one connection to it for all examples, in a loop of their own."""
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        gateway = running(Path(folder))
        started = runner.run(gateway.__aenter__())
        connection = connected(started.port)
        caller = runner.run(connection.__aenter__())
        yield runner, started, caller
        runner.run(connection.__aexit__(None, None, None))
        runner.run(gateway.__aexit__(None, None, None))
        assert started.errors_logged() == []


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=PATHS, document=DOCUMENTS | NEAR_MISSES)
def test_no_json_document_makes_the_gateway_fail(
    loop_and_caller: tuple[asyncio.Runner, Running, Caller], path: str, document: object
) -> None:
    runner, _, caller = loop_and_caller
    runner.run(caller.send(request_bytes("POST", path, orjson.dumps(document))))
    answer = runner.run(caller.answer())
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert answer.error["message"]
