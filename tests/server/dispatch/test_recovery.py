"""What happens to a stream that breaks after its caller has a part of it."""

from contextlib import aclosing
from typing import cast

import pytest

from server.call import Call
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.means import Means
from server.dispatch.router import Row
from server.dispatch.told import chunks_of
from server.errors import GatewayError, reason_name
from server.providers.errors import Fault, ProviderError
from tests.server.calls import call
from tests.server.dispatch.scripted_provider import Scripted, chat, fails, means, rated, row, rows, says
from trunkline.v1.chat_pb2 import ChatCompletionChunk
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

WHOLE = [says("Hello"), says(" there"), says("!", end="stop")]


def breaks(*texts: str) -> Scripted:
    """A provider that breaks after these texts."""
    return Scripted([says(text) for text in texts], ProviderError(Fault.CONNECTION, "Gone."))


async def text(given: Means, made: Call | None = None) -> str:
    """What the caller gets in all."""
    pieces = []
    async with aclosing(Dispatcher(given).stream(chat(), made or call())) as batches:
        async for batch in batches:
            pieces += [choice.delta.content for chunk in chunks_of(batch) for choice in chunk.choices]  # type: ignore[union-attr]
    return "".join(pieces)


async def refusal(given: Means) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await text(given)
    return raised.value


@pytest.mark.parametrize("told", [("Hel",), ("Hello", " th"), ("Hello", " there")], ids="".join)
async def test_a_stream_that_breaks_goes_on_at_the_next_target(told: tuple[str, ...]) -> None:
    made = call()
    assert await text(means(rows(breaks(*told), Scripted(WHOLE))), made) == "Hello there!"
    trailers = dict(made.trailers)
    assert trailers["trunkline-recovered-at"] == str(len("".join(told)))
    assert (trailers["trunkline-provider"], trailers["trunkline-attempts"]) == ("b", "2")
    assert len(made.trailers) == len(trailers)


async def test_a_stream_that_stalls_goes_on_at_the_next_target() -> None:
    stalls = Scripted([says("Hello")], silent=True)
    assert await text(means(rows(stalls, Scripted(WHOLE), idle_timeout=0.02))) == "Hello there!"
    assert stalls.closed == 1


async def test_a_stream_that_ends_without_its_end_goes_on() -> None:
    assert await text(means(rows(Scripted([says("Hello")]), Scripted(WHOLE)))) == "Hello there!"


async def test_a_lone_target_is_asked_once_more() -> None:
    provider = Scripted(WHOLE, turns=[breaks("Hello")])
    assert await text(means(rows(provider))) == "Hello there!"
    assert len(provider.asks) == 2


async def test_a_stream_may_break_more_than_once() -> None:
    assert await text(means(rows(breaks("Hel"), breaks("Hello", " th"), Scripted(WHOLE)))) == "Hello there!"


async def test_a_target_that_refuses_to_begin_is_passed_by() -> None:
    assert await text(means(rows(breaks("Hel"), fails(Fault.SERVER), Scripted(WHOLE)))) == "Hello there!"


async def test_a_target_whose_own_rate_is_used_up_is_passed_by() -> None:
    limited, last = Scripted(WHOLE), Scripted(WHOLE)
    given = [*rows(breaks("Hel")), Row(row("b", "m", rate_limit=1), limited), Row(row("c", "m"), last)]
    held = rated(means(given))
    assert [await text(held) for _ in range(2)] == ["Hello there!"] * 2
    assert (len(limited.asks), len(last.asks)) == (1, 1)


async def test_another_answer_is_never_told_as_this_one() -> None:
    other = Scripted([says("Good day"), says("!", end="stop")])
    error = await refusal(means(rows(breaks("Hello"), other)))
    assert (reason_name(error.reason), error.metadata["provider"]) == ("provider_error", "a")
    assert error.message == "The answer broke off: Gone."
    assert other.closed == len(other.asks)


async def test_where_the_texts_differ_a_model_goes_on_from_the_beginning_it_is_given() -> None:
    other = Scripted([says(" you", end="stop")], turns=[Scripted([says("Good day")])], prefixes=True)
    assert await text(means(rows(breaks("Hello"), other))) == "Hello you"
    assert [ask.prefix for ask in other.asks] == ["", "Hello"]


async def test_who_does_not_go_on_from_a_beginning_is_not_given_one() -> None:
    other = Scripted([says("Good day", end="stop")])
    await refusal(means(rows(breaks("Hello"), other)))
    assert all(not ask.prefix for ask in other.asks)


async def test_a_refused_beginning_is_not_what_the_caller_is_told() -> None:
    refusing = ProviderError(Fault.INVALID_REQUEST, "No prefill.")
    other = Scripted(error=refusing, turns=[Scripted([says("Good day")])], prefixes=True)
    error = await refusal(means(rows(breaks("Hello"), other)))
    assert error.message == "The answer broke off: Gone."


async def test_a_stream_is_not_mended_for_ever() -> None:
    provider = breaks("Hello")
    await refusal(means(rows(provider)))
    assert len(provider.asks) <= 5
    assert provider.closed == len(provider.asks)


async def test_a_stream_is_only_mended_where_that_is_configured() -> None:
    other = Scripted(WHOLE)
    error = await refusal(means(rows(breaks("Hello"), other), {"on_broken_stream": "error"}))
    assert (error.message, other.asks) == ("The answer broke off: Gone.", [])


async def test_silence_after_the_finish_reason_breaks_nothing() -> None:
    silent = Scripted(WHOLE, ProviderError(Fault.TIMEOUT, "Silent."))
    other = Scripted(WHOLE)
    assert await text(means(rows(silent, other))) == "Hello there!"
    assert other.asks == []


async def test_leaving_a_mended_stream_closes_who_mends_it() -> None:
    other = Scripted([*WHOLE[:2], says("more")], silent=True)
    async with aclosing(Dispatcher(means(rows(breaks("Hel"), other))).stream(chat(), call())) as batches:
        await anext(batches)
        await anext(batches)
    assert other.closed == 1


def calls(arguments: str, name: str = "", end: str = "") -> StreamChatCompletionResponse:
    """A batch with a piece of a tool call."""
    delta = {"tool_calls": [{"index": 0, "id": name, "function": {"name": name, "arguments": arguments}}]}
    chunk = ChatCompletionChunk(id="1", choices=[{"delta": delta, "finish_reason": end or None}])
    return StreamChatCompletionResponse(chunks=[chunk], finishing=bool(end))


async def test_a_long_tool_call_that_begins_after_the_mended_part_comes_whole() -> None:
    pieces = [calls("", "search"), *(calls(str(piece % 10)) for piece in range(200)), calls("", end="tool_calls")]
    given = means(rows(breaks("Hel"), Scripted([says("Hello"), *pieces])))
    got = ""
    async with aclosing(Dispatcher(given).stream(chat(), call())) as batches:
        async for batch in batches:
            choices = [choice for chunk in chunks_of(batch) for choice in chunk.choices]
            got += "".join(part.function.arguments for choice in choices for part in choice.delta.tool_calls)  # type: ignore[union-attr]
    assert got == "0123456789" * 20


async def test_who_broke_already_is_asked_again_only_within_the_retry_budget() -> None:
    provider = Scripted(WHOLE, turns=[breaks("Hello")])
    given = means(rows(provider))
    for _ in range(3):
        assert given.budget.take()
    await refusal(given)
    assert len(provider.asks) == 1


async def test_every_attempt_to_mend_is_noted() -> None:
    made = call()
    with pytest.raises(GatewayError):
        await text(means(rows(breaks("Hello"), fails(Fault.SERVER), Scripted([says("Good day", end="stop")]))), made)
    told = cast(list[str], made.notes["failures"])
    assert told[:3] == ["a: connection_error", "b: server_error", "c: protocol_error"]
    assert len(told) == made.notes["attempts"]
