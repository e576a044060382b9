"""The contract's messages -> Gemini's turns and the system instruction that stands beside them.

System and developer messages leave the conversation, results of tools become the user's, neighbours of one role become one
turn, and what is empty is left out. A result names its function, which only the call with its id tells. Source:
https://ai.google.dev/gemini-api/docs/function-calling (2026-11).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from server.providers.content import given_parts
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of, is_json_object
from server.providers.gemini.parts import vendor_part
from server.providers.gemini.signature import PLACEHOLDER, signature_of
from server.providers.tools import arguments_of, called_function
from server.providers.turns import Turns
from server.providers.unsupported import no_role, only_text_of_system
from trunkline.v1.chat_pb2 import Message, ToolCall

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that was made: its function, and which of the conversation's calls it is."""

    name: str
    place: int


class Conversation:
    """A conversation in Gemini's form.

    Args:
        messages: the contract's.
        signed_calls: whether the model refuses calls that come back without a signature.
    """

    def __init__(self, messages: Iterable[Message], signed_calls: bool) -> None:
        self.turns = Turns()
        self._signed_calls = signed_calls
        self._calls: dict[str, _Call] = {}
        self._made = 0
        self._places: dict[int, int] = {}
        for message in messages:
            self._add(message)
        self.turns.settle(_text_part)

    def contents(self) -> list[Json]:
        """The turns as the vendor wants them: results stand first, in the order of their calls."""
        contents: list[Json] = []
        for role, parts in self.turns.spoken():
            if role == "user":
                contents.append({"role": role, "parts": sorted(parts, key=self._order)})
            else:
                if self._signed_calls:
                    _sign(parts)
                contents.append({"role": "model", "parts": parts})
        return contents

    def _order(self, part: Json) -> int:
        return self._places.get(id(part), self._made)

    def _add(self, message: Message) -> None:
        match message.role:
            case "system" | "developer":
                self.turns.system.extend(_system_parts(message))
            case "user":
                self.turns.say("user", _parts(message))
            case "assistant":
                calls = [self._call(call) for call in message.tool_calls]
                self.turns.say("assistant", [*_answer_parts(message), *calls])
            case "tool":
                self.turns.say("user", self._result(message))
            case _:
                raise no_role(message)

    def _call(self, call: ToolCall) -> Json:
        function = called_function(call)
        self._calls[call.id] = _Call(function.name, self._made)
        self._made += 1
        named = {"id": call.id} if call.id else {}
        part: Json = {"functionCall": {**named, "name": function.name, "args": arguments_of(function)}}
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


def _text_part(text: str) -> Json:
    return {"text": text}


def _parts(message: Message) -> list[Json]:
    parts = given_parts(message, vendor_part)
    if message.content:
        parts.append(_text_part(message.content))
    return parts


def _answer_parts(message: Message) -> list[Json]:
    parts = _parts(message)
    if message.refusal:
        parts.append(_text_part(message.refusal))
    signature = signature_of(message)
    if signature:
        if not parts or "text" not in parts[-1]:
            parts.append(_text_part(""))
        parts[-1]["thoughtSignature"] = signature
    return parts


def _system_parts(message: Message) -> list[Json]:
    parts = _parts(message)
    if any("text" not in part for part in parts):
        raise only_text_of_system()
    return parts


def _response(text: str, failed: bool) -> object:
    """A result as the object that the vendor wants; anything else than an object is put into one."""
    if failed:
        return {"error": text}
    return orjson.Fragment(text) if is_json_object(text) else {"result": text}
