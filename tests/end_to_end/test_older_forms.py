"""OpenAI's own package -> gateway -> Cohere, and the vendors that are asked in their older forms."""

from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from tests.end_to_end.running import KEY, Topology, config, run_gateway
from tests.fakes.answers import Text, Usage
from tests.fakes.vendor import ScriptedVendor

ROWS = {
    "cohere": ("current", "/v2/chat"),
    "anthropic-old": ("legacy", "/v1/complete"),
    "cohere-old": ("legacy", "/v1/generate"),
    "grok-old": ("legacy", "/v1/complete"),
    "perplexity-old": ("legacy", "/v1/ask"),
}


@pytest.fixture
async def sdk(vendor: ScriptedVendor, tmp_path: Path, topology: Topology) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own package, pointed at a gateway with a row for each; its models are called as the rows are."""
    rows = [
        {
            "name": name,
            "type": name.removesuffix("-old"),
            "dialect": dialect,
            "max_retries": 0,
            "base_url": vendor.url,
            "api_key": vendor.key,
            "models": [name],
        }
        for name, (dialect, _) in ROWS.items()
    ]
    async with (
        run_gateway(tmp_path, config(rows), topology) as running,
        openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield client


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, (_, path) in ROWS.items()], ids=ROWS)
async def test_a_chat_goes_through_whole_and_streamed(
    vendor: ScriptedVendor, sdk: openai.AsyncOpenAI, name: str, path: str
) -> None:
    vendor.add(Text("Grüß Gott", usage=Usage(9, 2)), Text("Grüß Gott", usage=Usage(9, 2)))
    whole = await sdk.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hi"}])
    stream = await sdk.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hi"}], stream=True)
    choices = [choice async for chunk in stream for choice in chunk.choices]
    assert whole.choices[0].message.content == "".join(choice.delta.content or "" for choice in choices) == "Grüß Gott"
    assert (whole.choices[0].finish_reason, choices[-1].finish_reason) == ("stop", "stop")
    assert [request.path for request in vendor.requests] == [path, path]


async def test_a_text_completion_is_made_by_an_older_form(vendor: ScriptedVendor, sdk: openai.AsyncOpenAI) -> None:
    vendor.add(Text("upon a time"))
    answer = await sdk.completions.create(model="cohere-old", prompt="Once", max_tokens=5)
    assert answer.choices[0].text == "upon a time"


async def test_sources_of_an_older_answer_reach_the_caller(sdk: openai.AsyncOpenAI) -> None:
    answer = await sdk.chat.completions.create(model="perplexity-old", messages=[{"role": "user", "content": "Hi"}])
    assert answer.to_dict()["perplexity_sources"] == [{"title": "Bern", "url": "https://example.com/bern"}]


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_vectors_of_cohere_reach_the_caller(sdk: openai.AsyncOpenAI, encoding: str) -> None:
    answer = await sdk.embeddings.create(model="cohere", input=["a", "bc"], encoding_format=encoding)  # type: ignore[arg-type]
    assert [item.index for item in answer.data] == [0, 1]
