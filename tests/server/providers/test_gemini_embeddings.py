"""Gemini's embeddings against the scripted vendor: which texts go where, and what comes back."""

import json
from collections.abc import AsyncIterator, Mapping

import pytest

from server.providers.base import Ask, Provider
from server.providers.errors import Fault, ProviderError
from server.providers.gemini.embeddings import vendor_bodies
from server.providers.gemini.provider import build
from tests.fakes.answers import Embeddings, Raw, Scripted, Status
from tests.fakes.faults import BadJson, ErrorOn200, Stall
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import context, embedded, embeddings_ask, failure
from trunkline_json import EMBEDDING_REQUEST

MODEL = "gemini-embedding-001"


@pytest.fixture
async def provider(vendor: ScriptedVendor) -> AsyncIterator[Provider]:
    async with context("gemini", base_url=vendor.url, api_key=vendor.key) as given:
        yield build(given)


def ask(body: Mapping[str, object], timeout_s: float = 20) -> Ask:
    return embeddings_ask(body, MODEL, timeout_s)


async def test_each_text_is_a_request_of_the_batch(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Embeddings(vectors=((0.5, 1), (0.25, 2))))
    answer = await embedded(provider, ask({"input": ["a", "b"], "dimensions": 2, "task_type": "RETRIEVAL_QUERY"}))
    assert [(item.index, list(item.values)) for item in answer.data] == [(0, [0.5, 1]), (1, [0.25, 2])]
    assert (answer.model, answer.HasField("usage")) == (MODEL, False)
    (request,) = vendor.requests
    assert request.path == f"/v1beta/models/{MODEL}:batchEmbedContents"
    common = {"model": f"models/{MODEL}", "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2}
    assert request.body == {"requests": [{**common, "content": {"parts": [{"text": text}]}} for text in ("a", "b")]}


async def test_one_text_is_a_batch_of_one(vendor: ScriptedVendor, provider: Provider) -> None:
    assert len((await embedded(provider, ask({"input": "a"}))).data) == 1


async def test_vectors_may_be_wanted_as_base64(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Embeddings(vectors=((1.0, -2.0),)))
    (item,) = (await embedded(provider, ask({"input": "a", "encoding_format": "base64"}))).data
    assert (item.values_base64, list(item.values)) == ("AACAPwAAAMA=", [])


async def test_more_texts_than_a_batch_takes_are_several(vendor: ScriptedVendor, provider: Provider) -> None:
    answer = await embedded(provider, ask({"input": [str(number) for number in range(201)]}))
    assert [len(request.body["requests"]) for request in vendor.requests] == [100, 100, 1]
    assert [item.index for item in answer.data] == list(range(201))


async def test_usage_is_added_up_where_the_model_tells_it(vendor: ScriptedVendor, provider: Provider) -> None:
    for count in (100, 1):
        body = {"embeddings": [{"values": [1]}] * count, "usageMetadata": {"promptTokenCount": count}}
        vendor.add(Raw(200, {"content-type": "application/json"}, json.dumps(body).encode()))
    usage = (await embedded(provider, ask({"input": ["a"] * 101}))).usage
    assert (usage.input_tokens, usage.total_tokens) == (101, 101)


@pytest.mark.parametrize("body", [{"input": [1, 2]}, {"input": [[1], [2]]}], ids=["tokens", "lists of tokens"])
async def test_token_ids_are_not_embedded(provider: Provider, body: dict[str, object]) -> None:
    assert (await failure(provider, ask(body))).fault is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Status(429), Fault.RATE_LIMITED),
        (Embeddings().with_fault(BadJson()), Fault.PROTOCOL),
        (Embeddings().with_fault(ErrorOn200(status=503)), Fault.OVERLOADED),
        (Embeddings(vectors=((1.0,), (2.0,))), Fault.PROTOCOL),
        (Embeddings(vectors=((1e300,),)), Fault.PROTOCOL),
    ],
    ids=["refused", "half", "error", "too many", "too large"],
)
async def test_what_is_no_answer_is_an_error(
    vendor: ScriptedVendor, provider: Provider, answer: Scripted, fault: Fault
) -> None:
    vendor.add(answer)
    assert (await failure(provider, ask({"input": "a", "encoding_format": "base64"}))).fault is fault


async def test_all_batches_share_one_time(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Embeddings(), Embeddings().with_fault(Stall()))
    assert (await failure(provider, ask({"input": ["a"] * 101}, timeout_s=0.2))).fault is Fault.TIMEOUT


def test_a_request_that_is_nested_too_deeply_is_the_callers_fault() -> None:
    request = EMBEDDING_REQUEST.parse({"model": "alias", "input": "a"}, strict=True)
    request.extra_json = '{"title":' * 300 + "1" + "}" * 300
    with pytest.raises(ProviderError) as raised:
        list(vendor_bodies(request, f"models/{MODEL}"))
    assert raised.value.fault is Fault.INVALID_REQUEST
