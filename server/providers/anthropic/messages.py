"""The contract's messages -> Anthropic's turns and the system prompt that stands beside them.

System and developer messages leave the conversation, results of tools become a part of the user's turn, neighbours of one
role become one turn, and what is empty is left out, as the vendor refuses it. Source:
https://platform.claude.com/docs/en/build-with-claude/working-with-messages (2026-11).
"""

import re
from collections.abc import Iterable
from typing import cast

import orjson

from server.providers.anthropic.parts import part_block, text_block
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of
from trunkline.v1.chat_pb2 import Message, ThinkingBlock, ToolCall

Json = dict[str, object]

_OPENING = "(The conversation begins.)"
"""Said for the user where a conversation begins with the assistant, which the vendor does not allow."""

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


class Conversation:
    """Turns in Anthropic's form, and the blocks of the system prompt.

    Args:
        messages: the contract's.
        prefix: the beginning of the answer that the model is to go on from; empty for a whole answer.
    """

    def __init__(self, messages: Iterable[Message], prefix: str = "") -> None:
        self.system: list[Json] = []
        self._turns: list[tuple[str, list[Json]]] = []
        for message in messages:
            self._add(message)
        if not self._turns and self.system:
            self._turns, self.system = [("user", self.system)], []
        if not self._turns:
            raise ProviderError(Fault.UNSUPPORTED, "The provider needs a message that is not empty.", param="messages")
        if self._turns[0][0] == "assistant":
            self._turns.insert(0, ("user", [{"type": "text", "text": _OPENING}]))
        if prefix.strip():
            self._say("assistant", [text_block(prefix)])

    @property
    def prefilled(self) -> bool:
        """Whether the last words are the assistant's, so that the answer goes on from them."""
        return self._turns[-1][0] == "assistant"

    def messages(self) -> list[Json]:
        """The turns as the vendor wants them; results of tools stand before anything else in theirs."""
        if self.prefilled:
            last = self._turns[-1][1][-1]
            if last["type"] == "text":  # the vendor refuses blanks at its end
                last["text"] = cast(str, last["text"]).rstrip()
        return [{"role": role, "content": sorted(blocks, key=_after_results)} for role, blocks in self._turns]

    def _add(self, message: Message) -> None:
        match message.role:
            case "system" | "developer":
                self.system.extend(_system_content(message))
            case "user":
                self._say("user", _content(message))
            case "assistant":
                self._say(
                    "assistant", [*_thoughts(message.thinking_blocks), *_content(message), *_calls(message.tool_calls)]
                )
            case "tool":
                self._say("user", [_result(message)])
            case role:
                raise ProviderError(
                    Fault.UNSUPPORTED, f"The provider has no messages of the role `{role[:64]}`.", param="messages"
                )

    def _say(self, role: str, blocks: list[Json]) -> None:
        if not blocks:
            return
        if self._turns and self._turns[-1][0] == role:
            self._turns[-1][1].extend(blocks)
        else:
            self._turns.append((role, blocks))


def _after_results(block: Json) -> bool:
    return block["type"] != "tool_result"


def _content(message: Message) -> list[Json]:
    blocks = [block for part in message.content_parts if (block := part_block(part)) is not None]
    texts = (message.content, message.refusal if message.role == "assistant" else "")
    blocks.extend(text_block(text) for text in texts if text.strip())
    mark = extra_of(message).get("cache_control")
    if mark is not None and blocks:
        blocks[-1]["cache_control"] = mark
    return blocks


def _system_content(message: Message) -> list[Json]:
    blocks = _content(message)
    if any(block["type"] != "text" for block in blocks):
        raise ProviderError(Fault.UNSUPPORTED, "The provider takes system prompts as text only.", param="messages.content")
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


def _calls(calls: Iterable[ToolCall]) -> list[Json]:
    return [_call(call) for call in calls]


def _call(call: ToolCall) -> Json:
    if not call.HasField("function"):
        raise ProviderError(Fault.UNSUPPORTED, "The provider has calls of functions only.", param="messages.tool_calls")
    arguments = call.function.arguments.strip() or "{}"
    try:
        fits = isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        fits = False
    if not fits:
        raise ProviderError(
            Fault.UNSUPPORTED,
            "The provider takes a call's arguments only as a JSON object.",
            param="messages.tool_calls.function.arguments",
        )
    name = call.function.name
    return {"type": "tool_use", "id": _id(call.id), "name": name, "input": orjson.Fragment(arguments)}


def _result(message: Message) -> Json:
    extras = extra_of(message)
    blocks = [block for part in message.content_parts if (block := part_block(part)) is not None]
    result: Json = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id)}
    if content := blocks or message.content:
        result["content"] = content
    return result | {name: extras[name] for name in ("is_error", "cache_control") if name in extras}


def _id(identifier: str) -> str:
    """The id of a call with what the vendor refuses replaced; other vendors' ids have dots and colons."""
    return _NOT_IN_ID.sub("_", identifier)
