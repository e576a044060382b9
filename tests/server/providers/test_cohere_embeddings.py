"""Embeddings in Cohere's form: what is asked, in how many calls, and what comes of the answers."""

import base64
import struct
from collections.abc import AsyncIterator, Mapping

import pytest

from server.providers.base import Ask, Operation, Provider
from server.providers.cohere.embeddings import embedding_bodies
from server.providers.cohere.provider import build
from server.providers.errors import Fault, ProviderError
from tests.fakes.answers import Embeddings, Status, Usage
from tests.fakes.faults import BadJson, ErrorOn200, Stall
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import context, embedded, embeddings_ask, failure
from trunkline_json import EMBEDDING_REQUEST

MODEL = "embed-v4.0"


@pytest.fixture
async def provider(vendor: ScriptedVendor) -> AsyncIterator[Provider]:
    async with context("cohere", base_url=vendor.url, api_key=vendor.key) as given:
        yield build(given)


def ask(body: Mapping[str, object], timeout_s: float = 20) -> Ask:
    return embeddings_ask(body, MODEL, timeout_s)


REQUESTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "one text": ({"input": "a"}, {"texts": ["a"]}),
    "texts": ({"input": ["a", "b"]}, {"texts": ["a", "b"]}),
    "size": ({"input": "a", "dimensions": 256}, {"texts": ["a"], "output_dimension": 256}),
    "base64": ({"input": "a", "encoding_format": "base64"}, {"texts": ["a"], "embedding_types": ["base64"]}),
    "float": ({"input": "a", "encoding_format": "float", "user": "u"}, {"texts": ["a"]}),
    "own fields": (
        {"input": "a", "input_type": "search_query", "truncate": "NONE"},
        {"texts": ["a"], "input_type": "search_query", "truncate": "NONE"},
    ),
}


@pytest.mark.parametrize(("given", "expected"), REQUESTS.values(), ids=REQUESTS)
async def test_requests(
    vendor: ScriptedVendor, provider: Provider, given: dict[str, object], expected: dict[str, object]
) -> None:
    await embedded(provider, ask(given))
    (request,) = vendor.requests
    plain = {"model": MODEL, "input_type": "search_document", "embedding_types": ["float"]}
    assert (request.path, request.body) == ("/v2/embed", {**plain, **expected})


@pytest.mark.parametrize("tokens", [[1, 2], [[1], [2, 3]]], ids=["tokens", "lists of tokens"])
async def test_tokens_are_refused(vendor: ScriptedVendor, provider: Provider, tokens: object) -> None:
    error = await failure(provider, ask({"input": tokens}))
    assert (error.fault, error.param, vendor.requests) == (Fault.UNSUPPORTED, "input", [])


async def test_vectors_arrive_in_order_with_what_is_counted_and_billed(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Embeddings(((0.5, -0.25), (1.0, 2.0)), usage=Usage(7, 0)))
    answer = await embedded(provider, ask({"input": ["a", "b"]}))
    assert [(item.index, list(item.values)) for item in answer.data] == [(0, [0.5, -0.25]), (1, [1.0, 2.0])]
    assert (answer.model, answer.usage.input_tokens, answer.usage.total_tokens) == (MODEL, 7, 7)
    assert answer.usage.extra_json == '{"billed_units":{"input_tokens":7}}'


async def test_base64_is_handed_on_as_it_is(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Embeddings(((0.5, -0.25),)))
    (item,) = (await embedded(provider, ask({"input": "a", "encoding_format": "base64"}))).data
    assert struct.unpack("<2f", base64.b64decode(item.values_base64)) == (0.5, -0.25)
    assert not item.values


async def test_more_texts_than_the_vendor_takes_go_in_several_calls(vendor: ScriptedVendor, provider: Provider) -> None:
    texts = [str(number) for number in range(200)]
    answer = await embedded(provider, ask({"input": texts}))
    assert [request.body["texts"] for request in vendor.requests] == [texts[:96], texts[96:192], texts[192:]]
    assert [item.index for item in answer.data] == list(range(200))
    assert answer.usage.input_tokens == 200


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(401), Fault.AUTHENTICATION),
        (Status(400, message="too many tokens: size limit exceeded by 3 tokens"), Fault.CONTEXT_LENGTH),
        (Status(200, body={"embeddings": {}}), Fault.PROTOCOL),
        (Status(200, body={"embeddings": {"float": [[1], [2]]}}), Fault.PROTOCOL),
        (Embeddings().with_fault(BadJson()), Fault.PROTOCOL),
        (Embeddings().with_fault(ErrorOn200()), Fault.SERVER),
    ],
    ids=["key", "overflow", "no vectors", "too many vectors", "no json", "error"],
)
async def test_what_goes_wrong_is_an_error(
    vendor: ScriptedVendor, provider: Provider, answer: Status | Embeddings, kind: Fault
) -> None:
    vendor.add(answer)
    assert (await failure(provider, ask({"input": "a"}))).fault is kind


async def test_all_calls_together_are_given_the_time_of_one(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Embeddings(), Embeddings().with_fault(Stall()))
    assert (await failure(provider, ask({"input": ["a"] * 97}, timeout_s=0.2))).fault is Fault.TIMEOUT


def test_a_request_that_is_nested_too_deeply_is_the_callers_fault() -> None:
    request = EMBEDDING_REQUEST.parse({"model": "alias", "input": "a"}, strict=True)
    request.extra_json = '{"truncate":' * 300 + "1" + "}" * 300
    with pytest.raises(ProviderError) as raised:
        list(embedding_bodies(Ask(Operation.EMBEDDINGS, request, MODEL, streamed=False), request))
    assert raised.value.fault is Fault.INVALID_REQUEST
