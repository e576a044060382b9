"""The contract's messages -> Gemini's turns and the system instruction that stands beside them.

System and developer messages leave the conversation, results of tools become the user's, neighbours of one role become one
turn, and what is empty is left out. A result names its function, which only the call with its id tells. Source:
https://ai.google.dev/gemini-api/docs/function-calling (2026-11).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of
from server.providers.gemini.parts import vendor_part
from server.providers.gemini.signature import PLACEHOLDER, signature_of
from trunkline.v1.chat_pb2 import Message, ToolCall

Json = dict[str, object]

_OPENING = "(The conversation begins.)"
"""Said for the user where a conversation begins with the model, as the vendor wants a call to follow the user's words."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that was made: its function, and which of the conversation's calls it is."""

    name: str
    place: int


class Conversation:
    """Turns in Gemini's form, and the parts of the system instruction.

    Args:
        messages: the contract's.
        signed_calls: whether the model refuses calls that come back without a signature.
    """

    def __init__(self, messages: Iterable[Message], signed_calls: bool) -> None:
        self.system: list[Json] = []
        self._signed_calls = signed_calls
        self._turns: list[tuple[str, list[Json]]] = []
        self._calls: dict[str, _Call] = {}
        self._made = 0
        self._places: dict[int, int] = {}
        for message in messages:
            self._add(message)
        if not self._turns and self.system:
            self._turns, self.system = [("user", self.system)], []
        if not self._turns:
            raise ProviderError(Fault.UNSUPPORTED, "The provider needs a message that is not empty.", param="messages")
        if self._turns[0][0] == "model":
            self._turns.insert(0, ("user", [{"text": _OPENING}]))

    def contents(self) -> list[Json]:
        """The turns as the vendor wants them: results stand first, in the order of their calls."""
        contents: list[Json] = []
        for role, parts in self._turns:
            if role == "model" and self._signed_calls:
                _sign(parts)
            contents.append({"role": role, "parts": sorted(parts, key=self._order) if role == "user" else parts})
        return contents

    def _order(self, part: Json) -> int:
        return self._places.get(id(part), self._made)

    def _add(self, message: Message) -> None:
        match message.role:
            case "system" | "developer":
                self.system.extend(_system_parts(message))
            case "user":
                self._say("user", _parts(message))
            case "assistant":
                self._say("model", [*_answer_parts(message), *(self._call(call) for call in message.tool_calls)])
            case "tool":
                self._say("user", self._result(message))
            case role:
                raise ProviderError(
                    Fault.UNSUPPORTED, f"The provider has no messages of the role `{role[:64]}`.", param="messages"
                )

    def _say(self, role: str, parts: list[Json]) -> None:
        if not parts:
            return
        if self._turns and self._turns[-1][0] == role:
            self._turns[-1][1].extend(parts)
        else:
            self._turns.append((role, parts))

    def _call(self, call: ToolCall) -> Json:
        if not call.HasField("function"):
            raise ProviderError(Fault.UNSUPPORTED, "The provider has calls of functions only.", param="messages.tool_calls")
        self._calls[call.id] = _Call(call.function.name, self._made)
        self._made += 1
        named = {"id": call.id} if call.id else {}
        part: Json = {"functionCall": {**named, "name": call.function.name, "args": _arguments(call)}}
        if signature := signature_of(call):
            part["thoughtSignature"] = signature
        return part

    def _result(self, message: Message) -> list[Json]:
        """The result of a call, and behind it the media that belong to it, which the result itself cannot hold."""
        call = self._calls.get(message.tool_call_id)
        if call is None:
            raise ProviderError(
                Fault.INVALID_REQUEST, "A tool message answers no call of the conversation.", param="messages.tool_call_id"
            )
        named = {"id": message.tool_call_id} if message.tool_call_id else {}
        parts = _parts(message)
        text = "".join(str(part["text"]) for part in parts if "text" in part)
        response = _response(text, failed=extra_of(message).get("is_error") is True)
        result: Json = {"functionResponse": {**named, "name": call.name, "response": response}}
        self._places[id(result)] = call.place
        return [result, *(part for part in parts if "text" not in part)]


def _sign(parts: list[Json]) -> None:
    """Gives a turn's first call the placeholder, where no call of it has a signature; the others need none."""
    calls = [part for part in parts if "functionCall" in part]
    if calls and not any("thoughtSignature" in call for call in calls):
        calls[0]["thoughtSignature"] = PLACEHOLDER


def _parts(message: Message) -> list[Json]:
    parts = [part for given in message.content_parts if (part := vendor_part(given)) is not None]
    if message.content:
        parts.append({"text": message.content})
    return parts


def _answer_parts(message: Message) -> list[Json]:
    parts = _parts(message)
    if message.refusal:
        parts.append({"text": message.refusal})
    signature = signature_of(message)
    if signature:
        if not parts or "text" not in parts[-1]:
            parts.append({"text": ""})
        parts[-1]["thoughtSignature"] = signature
    return parts


def _system_parts(message: Message) -> list[Json]:
    parts = _parts(message)
    if any("text" not in part for part in parts):
        raise ProviderError(Fault.UNSUPPORTED, "The provider takes system prompts as text only.", param="messages.content")
    return parts


def _arguments(call: ToolCall) -> orjson.Fragment:
    arguments = call.function.arguments.strip() or "{}"
    if not _is_object(arguments):
        raise ProviderError(
            Fault.UNSUPPORTED,
            "The provider takes a call's arguments only as a JSON object.",
            param="messages.tool_calls.function.arguments",
        )
    return orjson.Fragment(arguments)


def _response(text: str, failed: bool) -> object:
    """A result as the object that the vendor wants; anything else than an object is put into one."""
    if failed:
        return {"error": text}
    return orjson.Fragment(text) if _is_object(text) else {"result": text}


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
