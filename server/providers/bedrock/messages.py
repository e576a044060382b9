"""The contract's messages -> Converse's turns and the system prompt that stands beside them.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html (2026-11).
"""

import hashlib
import re
from collections.abc import Iterable
from typing import cast

from server.providers.bedrock.parts import part_block, text_block
from server.providers.content import given_parts, parts_of
from server.providers.extra_fields import extra_of
from server.providers.tools import arguments_of, called_function
from server.providers.turns import Turns
from server.providers.unsupported import no_role, only_text_of_system
from trunkline.v1.chat_pb2 import Message, ThinkingBlock, ToolCall

Json = dict[str, object]

_BESIDE_DOCUMENT = "(See the document.)"
"""The vendor refuses a turn that has documents and no text."""

_NOTHING = "(Nothing.)"
"""The vendor refuses an error without content."""

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID = 64
_MISTRALS_ID = re.compile(r"[a-zA-Z0-9]{9}")


class Conversation:
    """A conversation in Converse's form.

    Args:
        messages: the contract's.
        prefix: the beginning of the answer that the model is to go on from; empty for a whole answer.
        short_ids: whether the ids of calls must have nine letters, as Mistral's models want them.
    """

    def __init__(self, messages: Iterable[Message], prefix: str, short_ids: bool) -> None:
        self.turns = Turns()
        self.calls = False
        """Whether calls of tools, or their results, are among the turns."""
        self._short_ids = short_ids
        self._names: dict[str, int] = {}
        for message in messages:
            self._add(message)
        self.turns.settle(text_block, prefix)
        self.turns.strip_end()

    def lost_thoughts(self) -> bool:
        """Whether calls of tools, which the model is to go on from, come back without what it thought of them."""
        said = self.turns.calls_open(lambda block: "toolResult" in block)
        return bool(said) and not any("reasoningContent" in block for block in said)

    def messages(self) -> list[Json]:
        """The turns as the vendor wants them: results of tools stand first in theirs, calls last."""
        return [{"role": role, "content": self._content_of(blocks)} for role, blocks in self.turns.spoken()]

    def _content_of(self, blocks: list[Json]) -> list[Json]:
        ordered = sorted(blocks, key=_place)
        documents = [cast(Json, block["document"]) for block in blocks if "document" in block]
        for document in documents:
            self._tell_apart(document)
        if documents and not any("text" in block for block in blocks):
            ordered.append(text_block(_BESIDE_DOCUMENT))
        return ordered

    def _tell_apart(self, document: Json) -> None:
        name = str(document.get("name"))
        self._names[name] = count = self._names.get(name, 0) + 1
        if count > 1:
            document["name"] = f"{name} ({count})"

    def _add(self, message: Message) -> None:
        match message.role:
            case "system" | "developer":
                self.turns.system.extend(_system_content(message))
            case "user":
                self.turns.say("user", _content(message))
            case "assistant":
                calls = [self._call(call) for call in message.tool_calls]
                self.turns.say("assistant", [*_thoughts(message.thinking_blocks), *_content(message), *calls])
            case "tool":
                self.turns.say("user", [self._result(message)])
            case _:
                raise no_role(message)

    def _call(self, call: ToolCall) -> Json:
        self.calls = True
        function = called_function(call)
        use: Json = {"toolUseId": self._id(call.id), "name": function.name, "input": arguments_of(function)}
        return {"toolUse": use}

    def _result(self, message: Message) -> Json:
        self.calls = True
        failed = extra_of(message).get("is_error") is True
        content = given_parts(message, part_block) or [text_block(message.content or (_NOTHING if failed else ""))]
        result: Json = {"toolUseId": self._id(message.tool_call_id), "content": content}
        return {"toolResult": result | ({"status": "error"} if failed else {})}

    def _id(self, identifier: str) -> str:
        """The id of a call as the vendor takes it; two ids that differ stay different."""
        if self._short_ids:
            return identifier if _MISTRALS_ID.fullmatch(identifier) else _digest(identifier)[:9]
        fitting = _NOT_IN_ID.sub("_", identifier)
        if len(fitting) <= _LONGEST_ID:
            return fitting
        return f"{fitting[:40]}_{_digest(identifier)[:16]}"


def _place(block: Json) -> int:
    return 0 if "toolResult" in block else 2 if "toolUse" in block else 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _content(message: Message) -> list[Json]:
    return parts_of(message, part_block, text_block)


def _system_content(message: Message) -> list[Json]:
    blocks = _content(message)
    if any(block.keys().isdisjoint({"text", "cachePoint", "guardContent"}) for block in blocks):
        raise only_text_of_system()
    return blocks


def _thoughts(blocks: Iterable[ThinkingBlock]) -> list[Json]:
    """Thoughts that the vendor has signed or sealed; it takes no others back."""
    thoughts: list[Json] = []
    for block in blocks:
        if block.type == "redacted_thinking" and block.data:
            thoughts.append({"reasoningContent": {"redactedContent": block.data}})
        elif block.type == "thinking" and block.signature:
            text = {"text": block.thinking, "signature": block.signature}
            thoughts.append({"reasoningContent": {"reasoningText": text}})
    return thoughts
