"""Chunks -> one completion: an unstreamed answer is the fold of a stream, mostly of a single chunk."""

from collections.abc import Sequence

import orjson

from trunkline.v1.chat_pb2 import ChatChoice, ChatCompletion, ChatCompletionChunk, Message, ToolCall
from trunkline.v1.text_pb2 import TextChoice, TextCompletion


def fold_chat(chunks: Sequence[ChatCompletionChunk]) -> ChatCompletion:
    """The completion that the chunks add up to. Texts are joined, calls by their index; the rest comes from the last chunk.

    Args:
        chunks: all chunks of one answer, in order; at least one.
    """
    if len(chunks) == 1:
        # The contract gives chunk and completion, delta and message the same numbers, so the one reads as the other.
        return ChatCompletion.FromString(chunks[0].SerializeToString())
    folded = ChatCompletion()
    choices: dict[int, ChatChoice] = {}
    for chunk in chunks:
        part = ChatCompletion.FromString(chunk.SerializeToString())
        parts = list(part.choices)
        del part.choices[:]
        part.extra_json = _joined_extra(folded.extra_json, part.extra_json)
        folded.MergeFrom(part)
        del folded.nulls[:]
        for choice in parts:
            _add_choice(choices.setdefault(choice.index, ChatChoice()), choice)
    folded.choices.extend(choices[index] for index in sorted(choices))
    for choice in folded.choices:
        for call in choice.message.tool_calls:
            call.ClearField("index")
    return folded


def fold_text(chunks: Sequence[TextCompletion]) -> TextCompletion:
    """The text completion that the chunks add up to."""
    if len(chunks) == 1:
        return chunks[0]
    folded = TextCompletion()
    choices: dict[int, TextChoice] = {}
    for chunk in chunks:
        rest = TextCompletion()
        rest.CopyFrom(chunk)
        del rest.choices[:]
        rest.extra_json = _joined_extra(folded.extra_json, rest.extra_json)
        folded.MergeFrom(rest)
        del folded.nulls[:]
        for part in chunk.choices:
            choice = choices.setdefault(part.index, TextChoice())
            text = choice.text + part.text
            choice.MergeFrom(part)
            choice.text = text
            del choice.nulls[:]
    folded.choices.extend(choices[index] for index in sorted(choices))
    return folded


_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def _joined_extra(before: str, added: str) -> str:
    """The keys of both, lists joined, else the later value; not the empty `choices` of a chunk that brings only usage."""
    if not added:
        return before
    extra: dict[str, object] = orjson.loads(before or "{}")
    for key, value in orjson.loads(added).items():
        known = extra.get(key)
        extra[key] = [*known, *value] if isinstance(known, list) and isinstance(value, list) else value
    extra.pop("choices", None)
    return orjson.dumps(extra).decode() if extra else ""


def _add_choice(choice: ChatChoice, part: ChatChoice) -> None:
    texts = {name: _joined(choice.message, part.message, name) for name in _TEXTS}
    part.message.extra_json = _joined_extra(choice.message.extra_json, part.message.extra_json)
    calls = list(part.message.tool_calls)
    del part.message.tool_calls[:]
    choice.MergeFrom(part)
    for name, text in texts.items():
        if text is not None:
            setattr(choice.message, name, text)
    for call in calls:
        _add_call(choice.message, call)
    del choice.nulls[:]
    del choice.message.nulls[:]


def _joined(message: Message, part: Message, name: str) -> str | None:
    if not message.HasField(name) and not part.HasField(name):
        return None
    return str(getattr(message, name)) + str(getattr(part, name))


def _add_call(message: Message, part: ToolCall) -> None:
    call = next((call for call in message.tool_calls if call.index == part.index), None)
    if call is None:
        message.tool_calls.append(part)
        return
    arguments = call.function.arguments + part.function.arguments
    call.MergeFrom(part)
    call.function.arguments = arguments
    del call.nulls[:]
