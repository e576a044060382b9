"""What completions cost: the corpus, and what must hold for any usage."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ledger.cost import MOST_MICROS, cost_micros
from server.ledger.price import FREE, KINDS, Price, Rates, Tier, Told
from server.providers.loader import build_provider
from tests.fakes.answers import Raw, Text
from tests.fakes.answers import Usage as Scripted
from tests.fakes.vendor import ScriptedVendor
from tests.server.ledger.corpus import Case, cases, read_wire, usage_of
from tests.server.providers.asking import chat_ask, chat_batches, context
from trunkline.v1.chat_pb2 import InputTokensDetails, OutputTokensDetails, Usage

CORPUS = cases()
PLAIN = Price(Rates(input=Decimal(3), output=Decimal(15)))
FULL = Price(
    Rates(
        input=Decimal("3"),
        cached_input=Decimal("0.3"),
        cache_write=Decimal("3.75"),
        cache_write_1h=Decimal("6"),
        input_audio=Decimal("40"),
        input_image=Decimal("4"),
        output=Decimal("15"),
        reasoning=Decimal("12"),
        output_audio=Decimal("80"),
        output_image=Decimal("30"),
    )
)
counts = st.integers(0, 2**40)


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_a_usage_of_the_corpus_costs_what_was_reckoned_by_hand(case: Case) -> None:
    assert cost_micros(case.usage, case.price, case.seconds) == case.micros


@pytest.mark.parametrize("case", [case for case in CORPUS if case.wire is not None], ids=lambda case: case.name)
def test_a_vendors_own_form_costs_the_same(case: Case) -> None:
    assert cost_micros(read_wire(case.type, case.wire or {}), case.price, case.seconds) == case.micros


def test_the_corpus_has_every_type_that_is_paid_for() -> None:
    paid = "anthropic azure_openai bedrock cohere deepseek gemini grok groq mistral ollama openai openrouter perplexity"
    assert {case.type for case in CORPUS} == set(paid.split())


@pytest.mark.parametrize(
    ("type", "path"),
    [
        ("openai", "/v1"),
        ("anthropic", ""),
        ("bedrock", ""),
        ("cohere", ""),
        ("deepseek", "/v1"),
        ("gemini", "/v1beta"),
        ("groq", "/v1"),
    ],
)
async def test_streamed_costs_as_much_as_unstreamed(vendor: ScriptedVendor, type: str, path: str) -> None:
    answer = Text("Hello there.", usage=Scripted(1000, 200, cached_tokens=300))
    vendor.add(answer, answer)
    async with context(type, base_url=vendor.url + path, api_key=vendor.key) as given:
        provider = build_provider(given)
        answers = [await chat_batches(provider, chat_ask({}, streamed=streamed)) for streamed in (True, False)]
    told = [[batch.usage for batch in batches if batch.HasField("usage")][-1] for batches in answers]
    assert [cost_micros(usage, FULL) for usage in told] == [700 * 3 + 300 * 3 // 10 + 200 * 15] * 2


async def test_what_was_charged_is_told_streamed_and_unstreamed(vendor: ScriptedVendor) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "cost": 0.00012, "is_byok": False}
    head = {"id": "gen-1", "model": "acme/large", "created": 1_790_000_006}
    message = {"role": "assistant", "content": "Hello."}
    piece = {"index": 0, "finish_reason": "stop"}
    chunk = {**head, "object": "chat.completion.chunk", "choices": [{**piece, "delta": message}], "usage": usage}
    whole = {**head, "object": "chat.completion", "choices": [{**piece, "message": message}], "usage": usage}
    events = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    vendor.add(
        Raw(200, {"content-type": "text/event-stream"}, events),
        Raw(200, {"content-type": "application/json"}, json.dumps(whole).encode()),
    )
    async with context("openrouter", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        provider = build_provider(given)
        answers = [await chat_batches(provider, chat_ask({}, streamed=streamed)) for streamed in (True, False)]
    told = [batch.usage for batches in answers for batch in batches if batch.HasField("usage")]
    assert [cost_micros(usage, Price(told=Told.COST)) for usage in told] == [120, 120]


@pytest.mark.parametrize(
    ("tokens", "micros"), [(1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (7, 4)], ids=["0.5", "1", "1.5", "2.5", "3", "3.5"]
)
def test_half_a_micro_dollar_goes_to_the_even_one(tokens: int, micros: int) -> None:
    assert cost_micros(Usage(input_tokens=tokens), Price(Rates(input=Decimal("0.5")))) == micros


def test_it_is_rounded_once() -> None:
    price = Price(Rates(input=Decimal("0.4"), output=Decimal("0.4")))
    assert cost_micros(Usage(input_tokens=1, output_tokens=1), price) == 1


def test_an_unknown_price_is_no_cost() -> None:
    assert cost_micros(Usage(input_tokens=1, output_tokens=1), None) is None


def test_one_side_without_a_price_is_unknown_once_it_is_used() -> None:
    price = Price(Rates(input=Decimal(1)))
    assert cost_micros(Usage(input_tokens=5), price) == 5
    assert cost_micros(Usage(input_tokens=5, output_tokens=1), price) is None


def test_free_is_nothing_and_not_unknown() -> None:
    assert cost_micros(Usage(input_tokens=5, output_tokens=5), FREE) == 0
    assert cost_micros(Usage(), FREE) == 0


def test_a_usage_that_says_nothing_costs_nobody_knows_what() -> None:
    assert cost_micros(Usage(), PLAIN) is None
    assert cost_micros(Usage(total_tokens=7), PLAIN) is None


def test_output_that_only_the_total_tells_is_paid_for() -> None:
    assert cost_micros(Usage(input_tokens=2, total_tokens=3), PLAIN) == 21


def test_parts_larger_than_the_whole_are_cut_to_it() -> None:
    usage = Usage(
        input_tokens=10,
        output_tokens=10,
        input_tokens_details=InputTokensDetails(cached_tokens=50, cache_write_tokens=50, audio_tokens=50),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=50, audio_tokens=50),
    )
    assert cost_micros(usage, PLAIN) == 180


def test_a_part_without_a_price_of_its_own_costs_what_its_whole_costs() -> None:
    usage = Usage(
        input_tokens=10,
        output_tokens=10,
        input_tokens_details=InputTokensDetails(cached_tokens=4, cache_write_tokens=2, audio_tokens=1, image_tokens=1),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=3, audio_tokens=2, extra_json='{"image_tokens": 2}'),
    )
    assert cost_micros(usage, PLAIN) == 180


def test_generated_images_within_an_answer_cost_their_own_price() -> None:
    usage = Usage(
        input_tokens=0, output_tokens=10, output_tokens_details=OutputTokensDetails(extra_json='{"image_tokens":4}')
    )
    assert cost_micros(usage, FULL) == 210


def test_text_counts_as_cached_before_sound() -> None:
    details = InputTokensDetails(cached_tokens=60, audio_tokens=50)
    price = Price(Rates(input=Decimal(1), cached_input=Decimal("0.1"), input_audio=Decimal(10), cached_audio=Decimal(2)))
    assert cost_micros(Usage(input_tokens=100, input_tokens_details=details), price) == 50 // 10 + 10 * 2 + 40 * 10


def test_a_tier_begins_behind_its_limit_and_holds_for_all_tokens() -> None:
    price = Price(Rates(input=Decimal(1), output=Decimal(1)), (Tier(100, Rates(input=Decimal(2), output=Decimal(3))),))
    assert cost_micros(Usage(input_tokens=100, output_tokens=1), price) == 101
    assert cost_micros(Usage(input_tokens=101, output_tokens=1), price) == 205


def test_time_costs_beside_tokens() -> None:
    price = Price(Rates(input=Decimal(1), output=Decimal(1)), hour=Decimal("3.6"))
    assert cost_micros(Usage(input_tokens=1, output_tokens=1), price, Decimal("0.25")) == 252


def test_images_cost_by_their_count_or_by_their_tokens() -> None:
    assert cost_micros(Usage(), Price(image=Decimal("0.04")), image_count=2) == 80_000
    by_tokens = Price(Rates(input=Decimal(5), input_image=Decimal(8), output=Decimal(10), output_image=Decimal(32)))
    usage = Usage(input_tokens=20, output_tokens=100, extra_json='{"input_tokens_details":{"image_tokens":8}}')
    assert cost_micros(usage, by_tokens, image_count=1) == 12 * 5 + 8 * 8 + 100 * 32
    assert cost_micros(usage, replace(by_tokens, image=Decimal("0.04")), image_count=1) == 12 * 5 + 8 * 8 + 40_000


def test_images_whose_tokens_are_not_told_cost_nobody_knows_what() -> None:
    by_tokens = Price(Rates(input=Decimal(5), output=Decimal(40)))
    assert cost_micros(Usage(input_tokens=0, output_tokens=0), by_tokens, image_count=1) is None
    assert cost_micros(Usage(input_tokens=0, output_tokens=0), Price(image=Decimal("0.04")), image_count=1) == 40_000


@pytest.mark.parametrize(
    "extra_json",
    ["", "[]", "nonsense", '{"cost": null}', '{"cost": "1"}', '{"cost": -1}', '{"cost": {}}', '{"cost": 1e999}'],
)
def test_a_charge_that_is_none_leaves_it_to_the_price(extra_json: str) -> None:
    usage = Usage(input_tokens=1, output_tokens=1, extra_json=extra_json)
    assert cost_micros(usage, Price(PLAIN.rates, told=Told.COST)) == 18


def test_a_charge_counts_only_where_its_vendor_is_known_to_tell_it() -> None:
    usage = Usage(input_tokens=1, output_tokens=1, extra_json='{"cost": 1}')
    assert cost_micros(usage, PLAIN) == 18
    assert cost_micros(usage, Price(told=Told.COST)) == 1_000_000


def test_nothing_costs_more_than_can_be_kept() -> None:
    assert cost_micros(Usage(input_tokens=2**63 - 1, output_tokens=2**63 - 1), PLAIN) == MOST_MICROS


@given(counts, counts, counts, counts, counts, counts, counts)
def test_parts_never_cost_twice(
    tokens: int, cached: int, written: int, audio: int, output: int, reasoning: int, said: int
) -> None:
    usage = Usage(
        input_tokens=tokens,
        output_tokens=output,
        input_tokens_details=InputTokensDetails(cached_tokens=cached, cache_write_tokens=written, audio_tokens=audio),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=reasoning, audio_tokens=said),
    )
    flat = Price(Rates(**{name: Decimal(1) for name in KINDS if name != "citation"}))
    assert cost_micros(usage, flat) == min(tokens + output, MOST_MICROS)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_no_cost_is_negative(tokens: int, output: int, part: int) -> None:
    usage = Usage(
        input_tokens=tokens,
        output_tokens=output,
        input_tokens_details=InputTokensDetails(cached_tokens=part, audio_tokens=part),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=part),
    )
    assert (cost_micros(usage, FULL) or 0) >= 0


@given(counts, counts, st.integers(0, 10**9))
def test_it_is_the_exact_sum(tokens: int, output: int, nano: int) -> None:
    rate = Decimal(nano).scaleb(-9)
    exact = tokens * nano + output * nano
    micros = cost_micros(
        usage_of({"prompt_tokens": tokens, "completion_tokens": output}), Price(Rates(input=rate, output=rate))
    )
    assert micros is not None
    assert 2 * abs(micros * 10**9 - exact) <= 10**9


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.decimals(0, 10**6, places=12, allow_nan=False),
    st.decimals(0, 10**6, places=12, allow_nan=False),
)
def test_a_cost_is_what_decimals_say_to_the_last_micro(
    tokens: int, output: int, of_input: Decimal, of_output: Decimal
) -> None:
    cost = cost_micros(Usage(input_tokens=tokens, output_tokens=output), Price(Rates(input=of_input, output=of_output)))
    context = Context(prec=100, rounding=ROUND_HALF_EVEN)
    sum_of_both = context.add(context.multiply(of_input, Decimal(tokens)), context.multiply(of_output, Decimal(output)))
    assert cost == min(int(sum_of_both.to_integral_value(ROUND_HALF_EVEN, context)), MOST_MICROS)
