"""A tool loop stays with whoever holds its thoughts, and nobody else gets what only that one can read."""

from collections.abc import Sequence
from contextlib import aclosing

import orjson
import pytest

from server.dispatch.affinity import Affinity, Loop, without
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.means import Means
from server.providers.base import Ask, Batch, Operation
from server.providers.errors import Fault, ProviderError
from tests.server.calls import call
from tests.server.dispatch.scripted_provider import Scripted, means, rows, says
from trunkline.v1.chat_pb2 import ChatCompletionChunk, ChatCompletionRequest, Message, ThinkingBlock, Tool, ToolCall
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

ANSWER = [says("Hello", end="stop")]
TOOLS = [Tool(type="function", function={"name": "search"})]
QUESTION = Message(role="user", content="What is it?")


def thought(call_id: str) -> Message:
    """An assistant's message that calls a tool, with thoughts that not everybody can read."""
    return Message(
        role="assistant",
        content="Let me see.",
        reasoning_content="Hm.",
        reasoning="Hm.",
        thinking_blocks=[ThinkingBlock(type="thinking", thinking="Hm.", signature="c2lnbmVk")],
        tool_calls=[
            ToolCall(
                id=call_id,
                type="function",
                extra_json='{"thought_signature":"c2lnbmVk","kept":1}',
                function={"name": "search"},
            )
        ],
        extra_json='{"reasoning_details":[{"type":"reasoning.encrypted"}],"kept":2}',
    )


def bare(call_id: str) -> Message:
    """The same without them."""
    return Message(
        role="assistant",
        content="Let me see.",
        tool_calls=[ToolCall(id=call_id, type="function", extra_json='{"kept":1}', function={"name": "search"})],
        extra_json='{"kept":2}',
    )


def found(call_id: str) -> Message:
    return Message(role="tool", tool_call_id=call_id, content="A fox.")


def calls(call_id: str) -> Sequence[Batch]:
    """An answer that calls a tool."""
    piece = {"index": 0, "id": call_id, "type": "function", "function": {"name": "search", "arguments": "{}"}}
    choice = {"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": "tool_calls"}
    return [StreamChatCompletionResponse(chunks=[ChatCompletionChunk(id="1", choices=[choice])], finishing=True)]


def turn(*messages: Message, tools: bool = True) -> Ask:
    """Asks with a conversation."""
    request = ChatCompletionRequest(model="m", messages=messages, tools=TOOLS if tools else [])
    return Ask(Operation.CHAT, request, "m", True)


async def ask(given: Means, asked: Ask) -> None:
    async with aclosing(Dispatcher(given).stream(asked, call())) as batches:
        async for _ in batches:
            pass


def asked_of(provider: Scripted) -> ChatCompletionRequest:
    request = provider.asks[-1].request
    assert isinstance(request, ChatCompletionRequest)
    return request


async def test_a_loop_goes_on_with_its_holder_whatever_the_strategy_says() -> None:
    providers = [Scripted(calls("1")) for _ in range(4)]
    given = means(rows(*providers), {"strategy": "weighted"})
    await ask(given, turn(QUESTION))
    holder = next(provider for provider in providers if provider.asks)
    for _ in range(20):
        await ask(given, turn(QUESTION, thought("1"), found("1")))
    assert [len(provider.asks) for provider in providers if provider is not holder] == [0, 0, 0]
    assert list(asked_of(holder).messages) == [QUESTION, thought("1"), found("1")]


async def test_two_loops_with_one_question_do_not_disturb_each_other() -> None:
    first, second = Scripted(calls("1")), Scripted(ANSWER, turns=[Scripted(calls("2"))])
    given = means(rows(first, second))
    await ask(given, turn(QUESTION))
    first.error = ProviderError(Fault.SERVER, "No.")
    first.batches = ()
    await ask(given, turn(QUESTION))  # the second loop begins elsewhere
    first.error, first.batches = None, ANSWER
    await ask(given, turn(QUESTION, thought("1"), found("1")))
    assert list(asked_of(first).messages) == [QUESTION, thought("1"), found("1")]
    await ask(given, turn(QUESTION, thought("2"), found("2")))
    assert list(asked_of(second).messages) == [QUESTION, thought("2"), found("2")]


async def test_another_provider_gets_the_conversation_without_what_only_the_holder_can_read() -> None:
    holder = Scripted(turns=[Scripted(calls("1"))], error=ProviderError(Fault.SERVER, "No."))
    other = Scripted(ANSWER)
    given = means(rows(holder, other))
    await ask(given, turn(QUESTION))
    asked = turn(QUESTION, thought("1"), found("1"))
    await ask(given, asked)
    assert list(asked_of(other).messages) == [QUESTION, bare("1"), found("1")]
    assert asked == turn(QUESTION, thought("1"), found("1"))  # the caller's own request is as it was


async def test_who_took_a_loop_over_is_its_holder_from_then_on_and_gets_its_own_thoughts_alone() -> None:
    failing = Scripted(error=ProviderError(Fault.SERVER, "No."))
    first = Scripted(ANSWER, turns=[Scripted(calls("1")), failing])
    second = Scripted(ANSWER, turns=[Scripted(calls("2"))])
    given = means(rows(first, second))
    await ask(given, turn(QUESTION))
    await ask(given, turn(QUESTION, thought("1"), found("1")))
    await ask(given, turn(QUESTION, thought("1"), found("1"), thought("2"), found("2")))
    assert (len(first.asks), len(second.asks)) == (2, 2)
    assert list(asked_of(second).messages) == [QUESTION, bare("1"), found("1"), thought("2"), found("2")]


async def test_a_new_question_may_go_elsewhere_without_the_thoughts_of_the_old_one() -> None:
    first = Scripted(error=ProviderError(Fault.SERVER, "No."), turns=[Scripted(calls("1"))])
    second = Scripted(ANSWER)
    given = means(rows(first, second))
    await ask(given, turn(QUESTION))
    again = turn(QUESTION, thought("1"), found("1"), Message(role="assistant", content="A fox."), QUESTION)
    loop = given.affinity.loop(again)
    assert loop is not None
    assert loop.holder is None
    await ask(given, again)
    assert asked_of(second).messages[1] == bare("1")


async def test_what_a_caller_says_of_caching_is_no_new_question() -> None:
    provider, other = Scripted(calls("1")), Scripted(ANSWER)
    given = means(rows(provider, other))
    await ask(given, turn(QUESTION))
    moved = Message(role="user", content="What is it?", extra_json='{"cache_control":{"type":"ephemeral"}}')
    loop = given.affinity.loop(turn(moved, thought("1"), found("1")))
    assert loop is not None
    assert loop.holder == ("a", "m")


async def test_a_call_with_the_same_id_in_another_conversation_is_another_one() -> None:
    given = means(rows(Scripted(calls("1")), Scripted(ANSWER)))
    await ask(given, turn(QUESTION))
    loop = given.affinity.loop(turn(Message(role="user", content="Who?"), thought("1"), found("1")))
    assert loop is not None
    assert loop.holder is None


@pytest.mark.parametrize("key", ["delta", "message"])
async def test_calls_in_a_vendors_own_json_are_noted(key: str) -> None:
    chunk = {"choices": [{"index": 0, key: {"tool_calls": [{"id": "1", "index": 0}, {"index": 0}]}}]}
    lines = orjson.dumps({"choices": []}) + b"\n" + orjson.dumps(chunk)
    batch = StreamChatCompletionResponse(chunks_json=[b'{"tool_calls": torn', lines], finishing=True)
    given = means(rows(Scripted([batch]), Scripted(ANSWER)))
    await ask(given, turn(QUESTION))
    loop = given.affinity.loop(turn(QUESTION, thought("1"), found("1")))
    assert loop is not None
    assert loop.holder == ("a", "m")


async def test_leaving_an_answer_leaves_the_provider() -> None:
    provider = Scripted(calls("1"), silent=True)
    given = means(rows(provider, Scripted(ANSWER)))
    async with aclosing(Dispatcher(given).stream(turn(QUESTION), call())) as batches:
        await anext(batches)
    assert provider.closed == 1


def test_a_conversation_without_thoughts_is_anybodys() -> None:
    affinity = Affinity()
    loop = affinity.loop(turn(QUESTION))
    assert loop is not None
    affinity.made(loop.key, "1", "a", "m")
    again = affinity.loop(turn(QUESTION, bare("1"), found("1")))
    assert again is not None
    assert (again.holder, again.makers) == (None, {})


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.EMBEDDINGS])
async def test_requests_without_tools_are_of_no_loop(operation: Operation) -> None:
    asked = turn(QUESTION, thought("1"), tools=False)
    asked.operation = operation
    assert Affinity().loop(asked) is None


class Unread(Affinity):
    """Fails where anybody reads the conversation."""

    def loop(self, ask: Ask) -> Loop | None:
        raise AssertionError("nobody should look for a holder")


async def test_a_lone_target_is_nobodys_choice() -> None:
    given = means(rows(Scripted(ANSWER)))
    unread = Means(given.router, given.routing, given.strategy, given.clock, affinity=Unread())
    await ask(unread, turn(QUESTION, thought("1"), found("1")))


def test_calls_without_end_are_bounded() -> None:
    affinity = Affinity()
    loop = affinity.loop(turn(QUESTION))
    assert loop is not None
    for number in range(10_001):
        affinity.made(loop.key, str(number), "a", "m")
    holders = [affinity.loop(turn(QUESTION, thought(str(number)))) for number in range(2)]
    assert [holder and holder.holder for holder in holders] == [None, ("a", "m")]


def test_what_nobody_signed_is_left_as_it_is() -> None:
    asked = turn(QUESTION, Message(role="assistant", content="Hm.", reasoning_content="Hm."), found("1"))
    loop = Affinity().loop(asked)
    assert loop is not None
    assert loop.unreadable("b") == []
    assert isinstance(asked.request, ChatCompletionRequest)
    assert without(asked.request, ()) is asked.request


@pytest.mark.parametrize("extra_json", ['["signature"]', '"signature"', '{"signature": torn'])
async def test_what_is_no_json_object_is_left_for_the_provider_to_refuse(extra_json: str) -> None:
    holder = Scripted(turns=[Scripted(calls("1"))], error=ProviderError(Fault.SERVER, "No."))
    other = Scripted(ANSWER)
    given = means(rows(holder, other))
    await ask(given, turn(QUESTION))
    odd = thought("1")
    odd.extra_json = extra_json
    await ask(given, turn(QUESTION, odd, found("1")))
    assert asked_of(other).messages[1].extra_json == extra_json
