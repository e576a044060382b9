"""How much the echo says at most: its answers are made at once, and nobody else is served while they are."""

import pytest

from server.providers.base import Ask, Operation
from server.providers.echo.provider import build
from server.providers.errors import Fault, ProviderError
from tests.server.providers.asking import chat_ask, context
from trunkline_json import EMBEDDING_REQUEST, TEXT_REQUEST


def said(text: str, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def text_ask(streamed: bool, **fields: object) -> Ask:
    request = TEXT_REQUEST.parse({"model": "echo", **fields}, True)
    return Ask(Operation.TEXT, request, "echo", streamed=streamed)


def embedding_ask(**fields: object) -> Ask:
    request = EMBEDDING_REQUEST.parse({"model": "echo", **fields}, True)
    return Ask(Operation.EMBEDDINGS, request, "echo", streamed=False)


ASKS = {
    "a stream of many words": chat_ask(said("a " * 70_000), streamed=True),
    "many streams of some words": chat_ask(said("a " * 1000, n=128), streamed=True),
    "many long answers": chat_ask(said("a" * 1_000_000, n=128)),
    "many prompts": text_ask(False, prompt=["a"] * 2000, n=128),
    "many long prompts": text_ask(False, prompt=["a" * 1_000_000], n=128),
    "a stream of prompts with many words": text_ask(True, prompt=["a " * 1000] * 100),
    "many stop sequences for a long text": chat_ask(said("a" * 100_000, stop=["b"] * 8000)),
    "many stop sequences for many prompts": text_ask(False, prompt=["a" * 1000] * 100, stop=["b"] * 8000),
    "many long vectors": embedding_ask(input=["a"] * 1000, dimensions=16_384),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_an_answer_that_is_large_beside_its_request_is_refused(ask: Ask) -> None:
    async with context("echo") as given:
        with pytest.raises(ProviderError) as raised:
            [batch async for batch in build(given).stream(ask)]
    assert raised.value.fault is Fault.INVALID_REQUEST


async def test_as_many_vectors_as_vendors_take_are_made() -> None:
    async with context("echo") as given:
        assert [batch async for batch in build(given).stream(embedding_ask(input=["a"] * 2048, dimensions=16))]
