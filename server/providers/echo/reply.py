"""What the echo says to a chat: text that was said to it, or what the request forces it to say. A token is a word here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from server.providers.echo.no_instance import NoInstanceError
from server.providers.echo.schema_instance import schema_instance
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import json_object
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message, StringOrList

_WORD = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_PIECE = 8
"""How many characters of a call's arguments are streamed at once."""

_MOST_LOOKED_AT = 100_000_000
"""Characters, for all stop sequences together. Nobody else is served while they are looked for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        words: the text in the pieces that it is streamed in.
        finish_reason: why it ends.
        function: the function to call; None: the answer is text.
        arguments: the call's arguments in the pieces that they are streamed in.
    """

    words: tuple[str, ...]
    finish_reason: str
    function: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def token_count(self) -> int:
        return len(self.words) + len(self.arguments)


def chat_reply(request: ChatCompletionRequest) -> Reply:
    """The answer to a chat.

    Raises:
        ProviderError: INVALID_REQUEST when a function is forced that there is none of, or a schema is no JSON object, and as
            `check_stop`.
    """
    name = _forced_function(request)
    if name is not None:
        arguments = orjson.dumps(_arguments(request, name)).decode()
        pieces = tuple(arguments[start : start + _PIECE] for start in range(0, len(arguments), _PIECE))
        return Reply((), "tool_calls", name, pieces)
    limit = request.max_completion_tokens if request.HasField("max_completion_tokens") else None
    if limit is None and request.HasField("max_tokens"):
        limit = request.max_tokens
    text = _in_format(request, _said(request.messages))
    check_stop(request.stop, len(text))
    return text_reply(text, request.stop, limit)


def check_stop(stop: StringOrList, characters: int) -> None:
    """Sees to it that stop sequences can be looked for in texts of so many characters.

    Raises:
        ProviderError: INVALID_REQUEST where that takes too long.
    """
    if len(stop.list) * characters > _MOST_LOOKED_AT:
        raise ProviderError(
            Fault.INVALID_REQUEST, "The echo looks for fewer stop sequences in a text this long.", param="stop"
        )


def text_reply(text: str, stop: StringOrList, limit: int | None) -> Reply:
    """A text, up to the first of the stop sequences and to so many words."""
    sequences = [stop.text, *stop.list]
    ends = [place for sequence in sequences if sequence and (place := text.find(sequence)) >= 0]
    words = words_of(text[: min(ends)] if ends else text)
    if limit is not None and len(words) > limit:
        return Reply(words[: max(limit, 0)], "length")
    return Reply(words, "stop")


def words_of(text: str) -> tuple[str, ...]:
    """The words with the blanks before them; all together they are the text."""
    return tuple(_WORD.findall(text))


def text_of(message: Message) -> str:
    """The text of a message, whatever else is in it."""
    return message.content or "".join(part.text for part in message.content_parts if part.type == "text")


def _said(messages: Sequence[Message]) -> str:
    """The result of a tool where that came last, else what the user said last."""
    if messages and messages[-1].role == "tool":
        return text_of(messages[-1])
    return next((text_of(message) for message in reversed(messages) if message.role == "user"), "")


def _in_format(request: ChatCompletionRequest, text: str) -> str:
    wanted = request.response_format
    if wanted.type == "json_object":
        return orjson.dumps({"echo": text}).decode()
    if wanted.type == "json_schema":
        param = "response_format.json_schema.schema"
        return orjson.dumps(_instance(json_object(wanted.json_schema.schema_json or "{}", param), param)).decode()
    return text


def _forced_function(request: ChatCompletionRequest) -> str | None:
    choice = request.tool_choice
    functions = [tool.function.name for tool in request.tools if tool.HasField("function")]
    if choice.type == "function":
        if choice.function.name not in functions:
            raise ProviderError(Fault.INVALID_REQUEST, "The function to call is none of the tools.", param="tool_choice")
        return choice.function.name
    return functions[0] if choice.mode == "required" and functions else None


def _arguments(request: ChatCompletionRequest, name: str) -> object:
    function = next(tool.function for tool in request.tools if tool.function.name == name)
    if not function.HasField("parameters_json"):
        return {}
    param = "tools.function.parameters"
    arguments = _instance(json_object(function.parameters_json, param), param)
    return arguments if isinstance(arguments, dict) else {}


def _instance(schema: object, param: str) -> object:
    """A value that keeps to a schema, and nothing else.

    Raises:
        ProviderError: INVALID_REQUEST where none is found.
    """
    try:
        return schema_instance(schema)
    except NoInstanceError:
        raise ProviderError(
            Fault.INVALID_REQUEST, "The echo finds no value that keeps to this schema.", param=param
        ) from None
