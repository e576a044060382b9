"""The JSON forms of the contract's messages, and the few places where OpenAI's JSON is not simply an object.

A string or a list (`stop`), a mode or an object (`tool_choice`), text or tokens (`prompt`, `input`); a key that two fields
share because its value has two types (`content`, `embedding`).
"""

from typing import cast

from google.protobuf.message import Message

from trunkline.v1 import chat_pb2, text_pb2
from trunkline_json.form import Carry, Form, Misfit, Parse, Render, Union

_INT32 = 1 << 31


def _parse_string_or_list(value: object, strict: bool, parse: Parse) -> object:
    if type(value) is str:
        return {"text": value}
    if type(value) is not list or not all(type(item) is str for item in value):
        raise Misfit("a string or an array of strings")
    if not value:
        raise Carry
    return {"list": value}


def _render_string_or_list(message: Message, render: Render) -> object:
    value = cast(chat_pb2.StringOrList, message)
    return value.text if value.HasField("text") else list(value.list)


def _parse_tool_choice(value: object, strict: bool, parse: Parse) -> object:
    if type(value) is str:
        return {"mode": value}
    if type(value) is dict and "mode" in value:
        raise Carry
    return parse(value, strict)


def _render_tool_choice(message: Message, render: Render) -> object:
    choice = cast(chat_pb2.ToolChoice, message)
    return choice.mode if choice.HasField("mode") else render(message)


def _tokens(value: object) -> bool:
    return type(value) is list and all(type(item) is int and -_INT32 <= item < _INT32 for item in value)


def _parse_text_input(value: object, strict: bool, parse: Parse) -> object:
    if type(value) is str:
        return {"text": value}
    if type(value) is list and value:
        if all(type(item) is str for item in value):
            return {"texts": {"values": value}}
        if _tokens(value):
            return {"tokens": {"values": value}}
        if all(_tokens(item) for item in value):
            return {"token_lists": {"values": [{"values": item} for item in value]}}
    if value == [] and not strict:
        raise Carry
    raise Misfit("a string, an array of strings, an array of token ids or an array of those, and not empty")


def _render_text_input(message: Message, render: Render) -> object:
    value = cast(text_pb2.TextInput, message)
    match value.WhichOneof("form"):
        case "texts":
            return list(value.texts.values)
        case "tokens":
            return list(value.tokens.values)
        case "token_lists":
            return [list(tokens.values) for tokens in value.token_lists.values]
    return value.text


_UNIONS = {
    "trunkline.v1.StringOrList": Union(_parse_string_or_list, _render_string_or_list),
    "trunkline.v1.ToolChoice": Union(_parse_tool_choice, _render_tool_choice),
    "trunkline.v1.TextInput": Union(_parse_text_input, _render_text_input),
}
_SHARED_KEYS = {
    "Message.content_parts": "content",
    "Embedding.values": "embedding",
    "Embedding.values_base64": "embedding",
}

CHAT_REQUEST = Form(chat_pb2.ChatCompletionRequest, _UNIONS, _SHARED_KEYS)
CHAT_COMPLETION = Form(
    chat_pb2.ChatCompletion,
    _UNIONS,
    _SHARED_KEYS,
    constant={"object": "chat.completion"},
    required={"ChatCompletion.choices": ("finish_reason", "logprobs"), "ChatChoice.message": ("content", "refusal")},
    lists=("choices",),
)
CHAT_CHUNK = Form(
    chat_pb2.ChatCompletionChunk,
    _UNIONS,
    _SHARED_KEYS,
    constant={"object": "chat.completion.chunk"},
    required={"ChatCompletionChunk.choices": ("finish_reason",)},
    lists=("choices",),
)
USAGE = Form(chat_pb2.Usage, _UNIONS, _SHARED_KEYS)
TEXT_REQUEST = Form(text_pb2.TextCompletionRequest, _UNIONS, _SHARED_KEYS)
TEXT_COMPLETION = Form(
    text_pb2.TextCompletion,
    _UNIONS,
    _SHARED_KEYS,
    constant={"object": "text_completion"},
    required={"TextCompletion.choices": ("finish_reason", "logprobs")},
    lists=("choices",),
)
EMBEDDING_REQUEST = Form(text_pb2.EmbeddingRequest, _UNIONS, _SHARED_KEYS)
EMBEDDING_LIST = Form(text_pb2.EmbeddingList, _UNIONS, _SHARED_KEYS, constant={"object": "list"}, lists=("data",))
IMAGE_REQUEST = Form(text_pb2.ImageRequest, _UNIONS, _SHARED_KEYS)
IMAGE_LIST = Form(text_pb2.ImageList, _UNIONS, _SHARED_KEYS, lists=("data",))
VIDEO_REQUEST = Form(text_pb2.VideoRequest, _UNIONS, _SHARED_KEYS)
VIDEO_LIST = Form(text_pb2.VideoList, _UNIONS, _SHARED_KEYS, lists=("data",))
