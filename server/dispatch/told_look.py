"""A look at chunks in a vendor's JSON: their texts and calls, a tenth as costly as reading them whole."""

from typing import Annotated

import msgspec

_LAST_SECOND = 253_402_300_799
"""The end of the year 9999; there are vendors who count milliseconds."""


class FunctionLook(msgspec.Struct, frozen=True, gc=False):
    """A piece of a called function."""

    name: str | None = None
    arguments: str | None = None


class CallLook(msgspec.Struct, frozen=True, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: FunctionLook = FunctionLook()


class DeltaLook(msgspec.Struct, frozen=True):
    """What a chunk adds."""

    reasoning_content: str | None = None
    reasoning: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[CallLook] | None = None


class ChoiceLook(msgspec.Struct, frozen=True):
    """A piece of one choice."""

    index: int = 0
    delta: DeltaLook = DeltaLook()
    finish_reason: str | None = None


class ChunkLook(msgspec.Struct, frozen=True):
    """A chunk."""

    id: str = ""
    created: Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)] = 0
    choices: list[ChoiceLook] = []


_CHUNKS = msgspec.json.Decoder(ChunkLook)


def look_at_lines(texts: list[bytes]) -> list[ChunkLook] | None:
    """The chunks of JSON Lines; None where they do not look as expected, and have to be read."""
    try:
        return _CHUNKS.decode_lines(b"\n".join(texts))
    except msgspec.DecodeError:
        return None
