"""The contract's messages -> Converse's turns and the system prompt that stands beside them.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html (2026-11).
"""

import hashlib
import re
from collections.abc import Iterable
from typing import cast

import orjson

from server.providers.bedrock.parts import part_block, text_block
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of
from trunkline.v1.chat_pb2 import Message, ThinkingBlock, ToolCall

Json = dict[str, object]

_OPENING = "(The conversation begins.)"
"""Said for the user where a conversation begins with the assistant, which the vendor does not allow."""

_BESIDE_DOCUMENT = "(See the document.)"
"""The vendor refuses a turn that has documents and no text."""

_NOTHING = "(Nothing.)"
"""The vendor refuses an error without content."""

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID = 64
_MISTRALS_ID = re.compile(r"[a-zA-Z0-9]{9}")


class Conversation:
    """Turns in Converse's form, and the blocks of the system prompt.

    Args:
        messages: the contract's.
        prefix: the beginning of the answer that the model is to go on from; empty for a whole answer.
        short_ids: whether the ids of calls must have nine letters, as Mistral's models want them.
    """

    def __init__(self, messages: Iterable[Message], prefix: str, short_ids: bool) -> None:
        self.system: list[Json] = []
        self.calls = False
        """Whether calls of tools, or their results, are among the turns."""
        self._turns: list[tuple[str, list[Json]]] = []
        self._short_ids = short_ids
        self._names: dict[str, int] = {}
        for message in messages:
            self._add(message)
        if not self._turns and self.system:
            self._turns, self.system = [("user", self.system)], []
        if not self._turns:
            raise ProviderError(Fault.UNSUPPORTED, "The provider needs a message that is not empty.", param="messages")
        if self._turns[0][0] == "assistant":
            self._turns.insert(0, ("user", [text_block(_OPENING)]))
        if prefix.strip():
            self._say("assistant", [text_block(prefix)])

    @property
    def prefilled(self) -> bool:
        """Whether the last words are the assistant's, so that the answer goes on from them."""
        return self._turns[-1][0] == "assistant"

    def messages(self) -> list[Json]:
        """The turns as the vendor wants them: results of tools stand first in theirs, calls last."""
        if self.prefilled:
            last = self._turns[-1][1][-1]
            if "text" in last:  # blanks at its end are refused
                last["text"] = cast(str, last["text"]).rstrip()
        return [{"role": role, "content": self._content_of(blocks)} for role, blocks in self._turns]

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
                self.system.extend(_system_content(message))
            case "user":
                self._say("user", _content(message))
            case "assistant":
                calls = [self._call(call) for call in message.tool_calls]
                self._say("assistant", [*_thoughts(message.thinking_blocks), *_content(message), *calls])
            case "tool":
                self._say("user", [self._result(message)])
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

    def _call(self, call: ToolCall) -> Json:
        self.calls = True
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
        return {"toolUse": {"toolUseId": self._id(call.id), "name": name, "input": orjson.Fragment(arguments)}}

    def _result(self, message: Message) -> Json:
        self.calls = True
        failed = extra_of(message).get("is_error") is True
        blocks = [block for part in message.content_parts if (block := part_block(part)) is not None]
        content = blocks or [text_block(message.content or (_NOTHING if failed else ""))]
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
    blocks = [block for part in message.content_parts if (block := part_block(part)) is not None]
    texts = (message.content, message.refusal if message.role == "assistant" else "")
    blocks.extend(text_block(text) for text in texts if text.strip())
    return blocks


def _system_content(message: Message) -> list[Json]:
    blocks = _content(message)
    if any(block.keys().isdisjoint({"text", "cachePoint", "guardContent"}) for block in blocks):
        raise ProviderError(Fault.UNSUPPORTED, "The provider takes system prompts as text only.", param="messages.content")
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
