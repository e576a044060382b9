"""Estimates before a call, and what a broken stream is taken to have used."""

from decimal import Decimal

import pytest

from server.ledger.billing import Billing, broken_usage
from server.ledger.cost import MOST_MICROS
from server.ledger.estimate import (
    USUAL_OUTPUT,
    Estimate,
    Request,
    estimate,
    estimate_micros,
    text_tokens,
    usual_micros,
)
from server.ledger.price import FREE, Price, Rates, Tier
from trunkline.v1.chat_pb2 import (
    ChatCompletionRequest,
    ContentPart,
    File,
    FunctionDefinition,
    ImageUrl,
    InputAudio,
    InputTokensDetails,
    Message,
    Tool,
    Usage,
)
from trunkline.v1.text_pb2 import (
    EmbeddingRequest,
    ImageRequest,
    Strings,
    TextCompletionRequest,
    TextInput,
    TokenLists,
    Tokens,
    VideoRequest,
)

PRICE = Price(Rates(input=Decimal("2.5"), output=Decimal(10)), request=Decimal("0.001"))


DIGITS = "1 2 3 " * 100


def micros(input_tokens: int, output_tokens: int, image_count: int = 0, *, price: Price | None) -> int | None:
    """What so much may cost, where the input is what is expected."""
    found = estimate_micros(Estimate(input_tokens, output_tokens, image_count, input_tokens), price)
    assert found is None or found[0] == found[1]
    return None if found is None else found[1]


def said(*messages: Message) -> ChatCompletionRequest:
    return ChatCompletionRequest(model="m", messages=messages, max_tokens=1)


def parts(*given: ContentPart) -> ChatCompletionRequest:
    return said(Message(role="user", content_parts=given))


@pytest.mark.parametrize(
    ("byte_count", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (100_000, 25_000)], ids=["none", "1", "4", "5", "many"]
)
def test_four_bytes_are_a_token(byte_count: int, tokens: int) -> None:
    assert text_tokens(byte_count) == tokens


@pytest.mark.parametrize(
    ("request_", "least", "most"),
    [
        (said(Message(role="user", content="a" * 400)), 100, 110),
        (said(*[Message(role="user", content="a" * 40) for _ in range(10)]), 140, 190),
        (said(Message(role="user", content="\u6f22" * 400)), 300, 310),
        (parts(ContentPart(type="text", text="a" * 400)), 100, 115),
        (parts(ContentPart(type="image_url", image_url=ImageUrl(url="data:" + "a" * 1_000_000))), 1000, 1100),
        (parts(ContentPart(type="image_url", image_url=ImageUrl(url="https://a", detail="low"))), 85, 100),
        (parts(ContentPart(type="input_audio", input_audio=InputAudio(data="a" * 40_000))), 100, 120),
        (parts(ContentPart(type="file", file=File(file_data="a" * 40_000))), 1000, 1020),
        (parts(ContentPart(type="file", file=File(file_id="file-1"))), 1000, 1100),
    ],
    ids=["text", "messages", "chinese", "part", "image", "low image", "sound", "file", "file by id"],
)
def test_a_prompt_is_estimated_by_its_length(request_: ChatCompletionRequest, least: int, most: int) -> None:
    assert least <= estimate(request_).input_tokens <= most


def test_text_beside_a_prompt_is_estimated_by_its_bytes() -> None:
    thought = Message(content_parts=[ContentPart(type="text", text="a")], reasoning_content="\u6f22" * 400)
    assert estimate(said(thought)).input_tokens >= 300
    assert estimate(TextCompletionRequest(suffix="\u6f22" * 400)).input_tokens >= 300


def test_tools_count_as_text() -> None:
    tool = Tool(type="function", function=FunctionDefinition(name="f", parameters_json="{" + " " * 398 + "}"))
    with_tool = ChatCompletionRequest(messages=[Message(content="a")], tools=[tool])
    assert estimate(with_tool).input_tokens >= 100


@pytest.mark.parametrize(
    ("request_", "most", "output"),
    [
        (ChatCompletionRequest(), None, USUAL_OUTPUT),
        (ChatCompletionRequest(), 1000, 1000),
        (ChatCompletionRequest(), 100_000, USUAL_OUTPUT),
        (ChatCompletionRequest(max_tokens=50), None, 50),
        (ChatCompletionRequest(max_tokens=50_000), 8_000, 8_000),
        (ChatCompletionRequest(max_tokens=50_000), 80_000, 50_000),
        (ChatCompletionRequest(max_completion_tokens=70, max_tokens=50), None, 70),
        (ChatCompletionRequest(max_tokens=50, n=3), None, 150),
        (ChatCompletionRequest(max_tokens=-5), 1000, 1000),
        (TextCompletionRequest(), None, 16),
        (TextCompletionRequest(max_tokens=0), None, 0),
        (TextCompletionRequest(max_tokens=9, n=2, best_of=4), None, 36),
        (EmbeddingRequest(), None, 0),
    ],
)
def test_the_output_is_what_the_request_or_the_model_allows(request_: Request, most: int | None, output: int) -> None:
    assert estimate(request_, most).output_tokens == output


def test_all_that_a_model_may_generate_can_be_held_back() -> None:
    assert estimate(ChatCompletionRequest(), 100_000, usual_output=None).output_tokens == 100_000
    assert estimate(ChatCompletionRequest(), None, usual_output=None).output_tokens == USUAL_OUTPUT


@pytest.mark.parametrize(
    ("prompt", "tokens", "output"),
    [
        (TextInput(text="a" * 400), 101, 10),
        (TextInput(texts=Strings(values=["a" * 40] * 10)), 105, 100),
        (TextInput(tokens=Tokens(values=range(7))), 7, 10),
        (TextInput(token_lists=TokenLists(values=[Tokens(values=[1, 2]), Tokens(values=[3])])), 3, 20),
    ],
    ids=["text", "texts", "tokens", "token lists"],
)
def test_every_form_of_a_prompt_counts(prompt: TextInput, tokens: int, output: int) -> None:
    found, embedded = estimate(TextCompletionRequest(prompt=prompt, max_tokens=10)), estimate(EmbeddingRequest(input=prompt))
    assert (found.input_tokens, found.output_tokens, embedded.input_tokens, embedded.output_tokens) == (
        tokens,
        output,
        tokens,
        0,
    )


def test_images_are_counted_and_videos_cost_their_prompt() -> None:
    assert estimate(ImageRequest(prompt="a" * 8, n=2)).image_count == 2
    assert estimate(VideoRequest(prompt="a" * 8)) == Estimate(2, 0, 0, 8)


@pytest.mark.parametrize(
    "request_",
    [
        said(Message(role="user", content=DIGITS)),
        parts(ContentPart(type="text", text=DIGITS)),
        TextCompletionRequest(prompt=TextInput(text=DIGITS)),
        TextCompletionRequest(prompt=TextInput(texts=Strings(values=DIGITS.split()))),
        TextCompletionRequest(suffix=DIGITS),
        EmbeddingRequest(input=TextInput(text=DIGITS)),
        ImageRequest(prompt=DIGITS),
        ChatCompletionRequest(tools=[Tool(function=FunctionDefinition(parameters_json=DIGITS))]),
    ],
    ids=["text", "part", "prompt", "prompts", "suffix", "embedding", "image", "tool"],
)
def test_a_prompt_has_no_more_tokens_than_bytes(request_: Request) -> None:
    """Some tokenizers make a token of each digit, and of each space before one."""
    found = estimate(request_)
    assert len(DIGITS.replace(" ", "")) < found.most_input_tokens < 2 * len(DIGITS)
    assert found.most_tokens - found.tokens == found.most_input_tokens - found.input_tokens > 0


def test_a_reservation_is_rounded_up() -> None:
    assert micros(1, 1, price=PRICE) == 1013


def test_what_a_prompt_may_cost_beyond_what_is_expected_is_told() -> None:
    price = Price(PRICE.rates, (Tier(100, Rates(input=Decimal(5), output=Decimal(20))),))
    assert estimate_micros(Estimate(10, 1, 0, 40), price) == (35, 110)
    assert estimate_micros(Estimate(50, 1, 0, 200), price) == (135, 1020)
    cheaper = Price(PRICE.rates, (Tier(100, Rates(input=Decimal("0.25"), output=Decimal(1))),))
    assert estimate_micros(Estimate(90, 0, 0, 110), cheaper) == (225, 225)


def test_a_reservation_takes_the_dearest_kinds() -> None:
    rates = Rates(
        input=Decimal(3), cached_input=Decimal(1), cache_write=Decimal(4), output=Decimal(10), reasoning=Decimal(12)
    )
    assert micros(100, 10, price=Price(rates)) == 520


def test_a_reservation_of_a_large_input_is_of_its_tier() -> None:
    price = Price(PRICE.rates, (Tier(100, Rates(input=Decimal(5), output=Decimal(20))),))
    assert micros(100, 0, price=price) == 250
    assert micros(101, 1, price=price) == 525


def test_images_are_reserved_by_their_count_or_by_their_tokens() -> None:
    assert micros(0, 4160, 2, price=Price(image=Decimal("0.04"))) == 80_000
    by_tokens = Price(Rates(input=Decimal(5), output=Decimal(10), output_image=Decimal(40)))
    assert micros(10, 1000, 1, price=by_tokens) == 40_050


def test_without_a_price_nothing_can_be_reserved() -> None:
    assert micros(1, 1, price=None) is None
    assert micros(1, 1, price=Price()) is None
    assert micros(1, 1, price=FREE) == 0


def test_no_reservation_is_more_than_can_be_kept() -> None:
    assert micros(2**62, 2**62, price=PRICE) == MOST_MICROS


@pytest.mark.parametrize(
    ("price", "micros"),
    [
        (PRICE, 2500 + 10_000 + 1000),
        (Price(FREE.rates, hour=Decimal("0.18")), 1000),
        (FREE, 0),
        (Price(Rates(input=Decimal(1))), None),
        (None, None),
    ],
    ids=["tokens and request", "electricity", "free", "half known", "not known"],
)
def test_prices_are_compared_by_what_a_usual_request_costs(price: Price | None, micros: int | None) -> None:
    assert usual_micros(price) == micros


def test_what_has_no_output_is_compared_by_its_input() -> None:
    assert usual_micros(Price(Rates(input=Decimal("0.02"))), writes=False) == 20


def test_a_broken_stream_is_estimated_by_what_was_told() -> None:
    assert broken_usage(Billing.ESTIMATE, None, 41, 7) == (Usage(input_tokens=7, output_tokens=11, total_tokens=18), False)


def test_what_the_provider_counted_of_a_broken_stream_is_kept() -> None:
    details = InputTokensDetails(cached_tokens=5)
    told = Usage(input_tokens=9, output_tokens=20, total_tokens=29, input_tokens_details=details, extra_json='{"cost":1}')
    assert broken_usage(Billing.ESTIMATE, told, 41, 7) == (told, False)


def test_a_count_that_is_behind_what_was_told_is_brought_up_to_it() -> None:
    told = Usage(input_tokens=9, output_tokens=2, total_tokens=11, extra_json='{"cost":1}')
    expected = Usage(input_tokens=9, output_tokens=11, total_tokens=20)
    assert broken_usage(Billing.ESTIMATE, told, 41, 7) == (expected, False)
    assert told.output_tokens == 2


def test_a_stream_read_to_its_end_is_exact() -> None:
    told = Usage(input_tokens=9, output_tokens=200, total_tokens=209)
    assert broken_usage(Billing.READ_TO_END, told, 41, 7) == (told, True)


def test_a_stream_that_could_not_be_read_to_its_end_is_estimated() -> None:
    assert broken_usage(Billing.READ_TO_END, None, 4, 7) == (Usage(input_tokens=7, output_tokens=1, total_tokens=8), False)


def test_a_provider_that_charges_nothing_for_broken_streams_is_owed_nothing() -> None:
    told = Usage(input_tokens=9, output_tokens=200, total_tokens=209)
    assert broken_usage(Billing.NONE, told, 41, 7) == (None, True)
