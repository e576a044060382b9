"""A tool loop stays with whoever holds its thoughts, and nobody else gets what only that one can read."""

from contextlib import aclosing

import pytest

from server.dispatch.affinity import Affinity, unbound
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.means import Means
from server.dispatch.router import Row
from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from tests.server.calls import call
from tests.server.dispatch.scripted_provider import Scripted, means, row, rows, says
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message, ThinkingBlock, Tool, ToolCall

ANSWER = [says("Hello", end="stop")]
TOOLS = [Tool(type="function", function={"name": "search"})]
QUESTION = Message(role="user", content="What is it?")
THOUGHT = Message(
    role="assistant",
    content="Let me see.",
    reasoning_content="Hm.",
    reasoning="Hm.",
    thinking_blocks=[ThinkingBlock(type="thinking", thinking="Hm.", signature="c2lnbmVk")],
    tool_calls=[
        ToolCall(
            id="1", type="function", extra_json='{"thought_signature":"c2lnbmVk","kept":1}', function={"name": "search"}
        )
    ],
    extra_json='{"reasoning_details":[{"type":"reasoning.encrypted"}],"kept":2}',
)
FOUND = Message(role="tool", tool_call_id="1", content="A fox.")


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
    providers = [Scripted(ANSWER) for _ in range(4)]
    given = means(rows(*providers), {"strategy": "weighted"})
    await ask(given, turn(QUESTION))
    holder = next(provider for provider in providers if provider.asks)
    for _ in range(20):
        await ask(given, turn(QUESTION, THOUGHT, FOUND))
    assert [len(provider.asks) for provider in providers if provider is not holder] == [0, 0, 0]
    assert list(asked_of(holder).messages) == [QUESTION, THOUGHT, FOUND]


async def test_another_provider_gets_the_conversation_without_what_only_the_holder_can_read() -> None:
    holder = Scripted(turns=[Scripted(ANSWER)], error=ProviderError(Fault.SERVER, "No."))
    other = Scripted(ANSWER)
    given = means(rows(holder, other))
    await ask(given, turn(QUESTION))
    await ask(given, turn(QUESTION, THOUGHT, FOUND))
    got = asked_of(other).messages
    assert (got[0], got[2]) == (QUESTION, FOUND)
    assert got[1] == Message(
        role="assistant",
        content="Let me see.",
        tool_calls=[ToolCall(id="1", type="function", extra_json='{"kept":1}', function={"name": "search"})],
        extra_json='{"kept":2}',
    )
    assert THOUGHT.thinking_blocks  # the caller's own request is as it was


async def test_who_took_a_loop_over_is_its_holder_from_then_on() -> None:
    first = Scripted(ANSWER, turns=[Scripted(ANSWER), Scripted(error=ProviderError(Fault.SERVER, "No."))])
    second = Scripted(ANSWER)
    given = means(rows(first, second))
    for asked in (turn(QUESTION), turn(QUESTION, THOUGHT, FOUND), turn(QUESTION, THOUGHT, FOUND)):
        await ask(given, asked)
    assert (len(first.asks), len(second.asks)) == (2, 2)


async def test_a_new_question_is_a_new_loop() -> None:
    first, second = Scripted(ANSWER), Scripted(ANSWER, turns=[Scripted(ANSWER)])
    given = means([Row(row("a", "m", priority=2), first), Row(row("b", "m", priority=1), second)])
    await ask(given, turn(QUESTION))
    affinity = given.affinity
    again = affinity.loop(turn(QUESTION, THOUGHT, FOUND))
    other = affinity.loop(turn(QUESTION, THOUGHT, FOUND, Message(role="assistant", content="A fox."), QUESTION))
    assert again == affinity.loop(turn(QUESTION))
    assert other != again
    assert again is not None
    assert affinity.target(again, turn(QUESTION, THOUGHT, FOUND)) == ("b", "m")


async def test_a_conversation_without_thoughts_is_anybodys() -> None:
    affinity = Affinity()
    asked = turn(QUESTION)
    loop = affinity.loop(asked)
    assert loop is not None
    affinity.began(loop, "a", "m")
    assert affinity.target(loop, asked) is None


class Unread(Affinity):
    """Fails where anybody reads the conversation."""

    def target(self, loop: bytes, ask: Ask) -> tuple[str, str] | None:
        raise AssertionError("nobody should look for a holder")


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.EMBEDDINGS])
async def test_requests_without_tools_are_of_no_loop(operation: Operation) -> None:
    given = means(rows(Scripted(ANSWER), Scripted(ANSWER)))
    unread = Means(given.router, given.routing, given.strategy, given.clock, affinity=Unread())
    asked = turn(QUESTION, THOUGHT, tools=False)
    asked.operation = operation
    assert unread.affinity.loop(asked) is None
    await ask(unread, turn(QUESTION, THOUGHT, tools=False))


async def test_a_lone_target_is_nobodys_choice() -> None:
    given = means(rows(Scripted(ANSWER)))
    unread = Means(given.router, given.routing, given.strategy, given.clock, affinity=Unread())
    await ask(unread, turn(QUESTION, THOUGHT, FOUND))


def test_loops_without_end_are_bounded() -> None:
    affinity = Affinity()
    for number in range(10_001):
        affinity.began(number.to_bytes(4, "big"), "a", "m")
    asked = turn(QUESTION, THOUGHT)
    assert affinity.target((0).to_bytes(4, "big"), asked) is None
    assert affinity.target((1).to_bytes(4, "big"), asked) == ("a", "m")


def test_what_nobody_signed_is_left_as_it_is() -> None:
    plain = turn(QUESTION, Message(role="assistant", content="Hm.", reasoning_content="Hm."), FOUND).request
    assert isinstance(plain, ChatCompletionRequest)
    assert unbound(plain) == plain
