"""A look at a vendor's JSON: just enough to know whether an answer may be handed on as it is, and what to note of it.

A tenth as costly as reading it. Whatever does not fit these shapes exactly is read in full by openai_answer.py.
"""

from typing import Annotated, Literal, TypeVar

import msgspec

from server.providers.wire import UNREADABLE

Json = dict[str, object]
L = TypeVar("L")

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class InputLook(msgspec.Struct):
    """Parts of the input."""

    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    text_tokens: _Count | None = None
    image_tokens: _Count | None = None


class OutputLook(msgspec.Struct):
    """Parts of the output."""

    reasoning_tokens: _Count | None = None
    audio_tokens: _Count | None = None
    text_tokens: _Count | None = None
    accepted_prediction_tokens: _Count | None = None
    rejected_prediction_tokens: _Count | None = None


class UsageLook(msgspec.Struct):
    """The counts of a usage; the rest of it is in the chunk, as the vendor wrote it."""

    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    total_tokens: _Count | None = None
    prompt_tokens_details: InputLook | None = None
    completion_tokens_details: OutputLook | None = None
    num_cached_tokens: None = None
    prompt_cache_hit_tokens: None = None

    @property
    def sound(self) -> bool:
        """Whether it can be relied on: the total is the sum, and what was cached is a part."""
        prompt, completion, total = self.prompt_tokens, self.completion_tokens, self.total_tokens
        if prompt is None or completion is None or total != prompt + completion:
            return False
        details = self.prompt_tokens_details
        return details is None or details.cached_tokens is None or details.cached_tokens <= prompt

    def keywords(self) -> Json:
        """What constructs the contract's usage."""
        details: Json = {}
        if self.prompt_tokens_details is not None:
            details["input_tokens_details"] = msgspec.structs.asdict(self.prompt_tokens_details)
        if self.completion_tokens_details is not None:
            details["output_tokens_details"] = msgspec.structs.asdict(self.completion_tokens_details)
        return {
            "input_tokens": self.prompt_tokens,
            "output_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            **details,
        }


class FunctionLook(msgspec.Struct, gc=False):
    """What must be known of a called function; arguments that are no text have to be mended."""

    name: str | None = None
    arguments: str | None = None


class CallLook(msgspec.Struct, gc=False):
    """What must be known of a piece of a tool call; one without an index has to be mended."""

    index: Annotated[int, msgspec.Meta(ge=0)]
    id: str | None = None
    type: str | None = None
    function: FunctionLook | None = None


class DeltaLook(msgspec.Struct):
    """What must be known of a delta; one whose role was said before has to be mended."""

    role: str | None = None
    tool_calls: list[CallLook] | None = None


class ChoiceLook(msgspec.Struct):
    """What must be known of a piece of an answer."""

    delta: DeltaLook
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"] | None
    index: int


class Look(msgspec.Struct):
    """What must be known of a chunk to hand it on unread; a chunk that does not fit this is read."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChoiceLook]
    usage: UsageLook | None = None
    error: None = None


class PlainDelta(msgspec.Struct, gc=False):
    """A delta with neither a role nor a tool call."""

    role: None = None
    tool_calls: None = None


class PlainChoice(msgspec.Struct, gc=False):
    """A piece of the only choice, which goes on."""

    delta: PlainDelta
    index: Literal[0]
    finish_reason: None = None


class Plain(msgspec.Struct, gc=False):
    """A chunk in the midst of the only choice's text. Where all are, none has to be looked at one by one."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: tuple[PlainChoice]
    usage: None = None
    error: None = None


class WholeCallLook(msgspec.Struct):
    """What must be known of a whole tool call."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    type: str
    function: FunctionLook | None = None


class MessageLook(msgspec.Struct):
    """What must be known of a message."""

    role: Literal["assistant"]
    content: msgspec.Raw
    refusal: msgspec.Raw
    tool_calls: list[WholeCallLook] | None = None


class WholeChoiceLook(msgspec.Struct):
    """What must be known of a whole answer."""

    index: int
    message: MessageLook
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
    logprobs: msgspec.Raw


class WholeLook(msgspec.Struct):
    """What must be known of a completion to hand it on unread."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[WholeChoiceLook]
    usage: UsageLook | None = None
    error: None = None


_LOOK = msgspec.json.Decoder(Look)
_PLAIN = msgspec.json.Decoder(Plain)
_LOOK_WHOLE = msgspec.json.Decoder(WholeLook)


def look_at(chunks: list[bytes]) -> list[Look] | None:
    """A look at each chunk; None where one of them must be read."""
    return _decode(_LOOK, b"\n".join(chunks), len(chunks))


def plain_lines(chunks: list[bytes]) -> bytes:
    """The chunks as JSON Lines where every one is a plain one; else nothing."""
    lines = b"\n".join(chunks)
    return lines if _decode(_PLAIN, lines, len(chunks)) is not None else b""


def look_at_whole(body: bytes) -> WholeLook | None:
    """A look at a completion; None where it must be read."""
    try:
        body.decode()
        return _LOOK_WHOLE.decode(body)
    except UNREADABLE:
        return None


def _decode(decoder: msgspec.json.Decoder[L], lines: bytes, count: int) -> list[L] | None:
    """All chunks in one go; None where one of them does not fit, or they are not so many lines with one value each.

    Their UTF-8 is checked, too: the decoder leaves out that of values it skips.
    """
    try:
        lines.decode()
        decoded = decoder.decode_lines(lines)
    except UNREADABLE:
        return None
    return decoded if len(decoded) == count else None
