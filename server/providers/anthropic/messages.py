"""The contract's messages -> Anthropic's turns and the system prompt that stands beside them.

System and developer messages leave the conversation, results of tools become a part of the user's turn, neighbours of one
role become one turn, and what is empty is left out, as the vendor refuses it. Source:
https://platform.claude.com/docs/en/build-with-claude/working-with-messages (2026-11).
"""

import re
from collections.abc import Iterable

from server.providers.anthropic.parts import part_block, text_block
from server.providers.content import given_parts, parts_of
from server.providers.extra_fields import extra_of
from server.providers.tools import arguments_of, called_function
from server.providers.turns import Turns
from server.providers.unsupported import no_role, only_text_of_system
from trunkline.v1.chat_pb2 import Message, ThinkingBlock, ToolCall

Json = dict[str, object]

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def turns_of(messages: Iterable[Message], prefix: str = "") -> Turns:
    """The conversation in the vendor's form.

    Args:
        messages: the contract's.
        prefix: the beginning of the answer that the model is to go on from; empty for a whole answer.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor does not have, and where nothing is said.
    """
    turns = Turns()
    for message in messages:
        match message.role:
            case "system" | "developer":
                turns.system.extend(_system_content(message))
            case "user":
                turns.say("user", _content(message))
            case "assistant":
                calls = [_call(call) for call in message.tool_calls]
                turns.say("assistant", [*_thoughts(message.thinking_blocks), *_content(message), *calls])
            case "tool":
                turns.say("user", [_result(message)])
            case _:
                raise no_role(message)
    turns.settle(text_block, prefix)
    turns.strip_end()
    return turns


def lost_thoughts(turns: Turns) -> bool:
    """Whether calls of tools, which the model is to go on from, come back without what it thought of them."""
    said = turns.calls_open(lambda block: block["type"] == "tool_result")
    return bool(said) and not any(block["type"] in ("thinking", "redacted_thinking") for block in said)


def vendor_messages(turns: Turns) -> list[Json]:
    """The turns as the vendor wants them; results of tools stand before anything else in theirs."""
    return [{"role": role, "content": sorted(blocks, key=_after_results)} for role, blocks in turns.spoken()]


def _after_results(block: Json) -> bool:
    return block["type"] != "tool_result"


def _content(message: Message) -> list[Json]:
    blocks = parts_of(message, part_block, text_block)
    mark = extra_of(message).get("cache_control")
    if mark is not None and blocks:
        blocks[-1]["cache_control"] = mark
    return blocks


def _system_content(message: Message) -> list[Json]:
    blocks = _content(message)
    if any(block["type"] != "text" for block in blocks):
        raise only_text_of_system()
    return blocks


def _thoughts(blocks: Iterable[ThinkingBlock]) -> list[Json]:
    """Thoughts that the vendor has signed or sealed; it takes no others back."""
    thoughts: list[Json] = []
    for block in blocks:
        if block.type == "redacted_thinking" and block.data:
            thoughts.append({"type": block.type, "data": block.data})
        elif block.type == "thinking" and block.signature:
            thoughts.append({"type": block.type, "thinking": block.thinking, "signature": block.signature})
    return thoughts


def _call(call: ToolCall) -> Json:
    function = called_function(call)
    return {"type": "tool_use", "id": _id(call.id), "name": function.name, "input": arguments_of(function)}


def _result(message: Message) -> Json:
    extras = extra_of(message)
    result: Json = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id)}
    if content := given_parts(message, part_block) or message.content:
        result["content"] = content
    return result | {name: extras[name] for name in ("is_error", "cache_control") if name in extras}


def _id(identifier: str) -> str:
    """The id of a call with what the vendor refuses replaced; other vendors' ids have dots and colons."""
    return _NOT_IN_ID.sub("_", identifier)
