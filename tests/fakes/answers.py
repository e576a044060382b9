"""What a test has the scripted vendor answer, in words that belong to no dialect.

    vendor.add(Text("Hello there", usage=Usage(9, 2)))
    vendor.add(Thinking("Hm.") + Text("Let me look.") + ToolCall("weather", {"city": "Paris"}))
    vendor.add(Text("Hello").with_fault(Cut(after_events=2)))
    vendor.add(Status(429, headers={"retry-after": "1"}))

Parts make an `Answer`, which each dialect writes in its own way; `Status`, `Raw` and `Wire` name the HTTP itself.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias, cast

from tests.fakes.faults import Fault


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as OpenAI counts them: the input includes what was cached, the output includes the reasoning."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Faulty:
    """What can go wrong with an answer is said with the answer."""

    faults: tuple[Fault, ...] = ()

    def with_fault(self, *faults: Fault) -> Self:
        """Returns the answer with faults in it, beside those that it had."""
        return replace(self, faults=(*self.faults, *faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scripted(_Faulty):
    """An answer in a dialect, which brings headers; it can carry others."""

    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Returns the answer with headers that replace the vendor's own of the same name."""
        return replace(self, headers={**self.headers, **headers})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part(_Scripted):
    """One part of a completion; by itself it is a whole answer."""

    usage: Usage | None = None
    finish_reason: str | None = None

    def __add__(self, other: "Part | Answer") -> "Answer":
        return whole(cast("Part", self)) + other


@dataclass(frozen=True, slots=True)
class Text(_Part):
    """Text, streamed word by word unless `pieces` says otherwise."""

    text: str
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Thinking(_Part):
    """Reasoning: a thinking block with its signature (Anthropic), `reasoning_content` (OpenAI's dialect elsewhere)."""

    text: str
    signature: str | None = None  # made from the text when None
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ToolCall(_Part):
    """A call of a tool; arguments given as a string go out as they are, be they JSON or not."""

    name: str
    arguments: Mapping[str, object] | str = field(default_factory=dict)
    id: str | None = None
    pieces: tuple[str, ...] | None = None

    @property
    def arguments_json(self) -> str:
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Refusal(_Part):
    """The model declines: `refusal` in OpenAI's message, the stop reason of Anthropic's."""

    text: str = "I can't help with that."
    category: str | None = None  # Anthropic's stop_details.category
    pieces: tuple[str, ...] | None = None


Part: TypeAlias = Text | Thinking | ToolCall | Refusal


@dataclass(frozen=True, slots=True)
class Answer(_Scripted):
    """A whole completion.

    `finish_reason` is OpenAI's word (each dialect has its own for it) or one that only the dialect knows; `extra` goes to
    the top level of the body and of every chunk, for fields that nobody has heard of.
    """

    parts: tuple[Part, ...]
    usage: Usage | None = None
    finish_reason: str | None = None
    model: str | None = None  # answers under another model's name than was asked for
    extra: Mapping[str, object] = field(default_factory=dict)

    def __add__(self, other: "Part | Answer") -> "Answer":
        following = whole(other)
        return replace(
            self,
            parts=self.parts + following.parts,
            usage=following.usage or self.usage,
            finish_reason=following.finish_reason or self.finish_reason,
            model=following.model or self.model,
            faults=self.faults + following.faults,
            headers={**self.headers, **following.headers},
            extra={**self.extra, **following.extra},
        )


@dataclass(frozen=True, slots=True)
class Embeddings(_Scripted):
    """Vectors, in the order of the inputs; made from the inputs when None."""

    vectors: tuple[tuple[float, ...], ...] | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Images(_Scripted):
    """Images as base64, or as addresses when `urls` are given; one tiny PNG for each asked for when neither is."""

    b64_json: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    revised_prompt: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Status(_Faulty):
    """An HTTP status; the body is the dialect's error of that status unless one is given."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Mapping[str, object] | None = None
    message: str = "The scripted vendor was told to say so."
    type: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Raw(_Faulty):
    """A response written out; a tuple of bytes is written one by one, as a stream is."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | tuple[bytes, ...] = b""


@dataclass(frozen=True, slots=True)
class Wire:
    """These very bytes instead of an HTTP response, and then the connection ends."""

    data: bytes


Scripted: TypeAlias = Part | Answer | Embeddings | Images | Status | Raw | Wire


def whole(part: Part | Answer) -> Answer:
    """Returns a part as the answer that it is by itself."""
    if isinstance(part, Answer):
        return part
    return Answer(
        (replace(part, faults=(), headers={}),),
        usage=part.usage,
        finish_reason=part.finish_reason,
        faults=part.faults,
        headers=part.headers,
    )


def pieces_of(part: Part) -> tuple[str, ...]:
    """Returns the portions in which a part is streamed: words with the space before them, arguments by eight characters."""
    if part.pieces is not None:
        return part.pieces
    if isinstance(part, ToolCall):
        text = part.arguments_json
        return tuple(text[start : start + 8] for start in range(0, len(text), 8))
    return tuple(re.findall(r"\s*\S+(?:\s+$)?|\s+$", part.text))
