"""What a caller has been told of an answer so far, and what of another answer goes on from there.

Both sides of recovery: a stream that breaks is begun again elsewhere, and of the new one only what follows the told part may
go out. Answers with several choices are not followed; how much they told is known all the same, as it is paid for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from server.dispatch.told_look import ChunkLook, look_at_lines
from server.providers.base import Batch
from server.providers.errors import Fault, ProviderError
from trunkline.v1.chat_pb2 import ChatChunkChoice, ChatCompletionChunk, Message, ToolCall
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline.v1.text_pb2 import TextChoice, TextCompletion
from trunkline_json import CHAT_CHUNK

_KEPT_BYTES = 32 * 1024
_OBJECT_BYTES = 48
_MOST_CHARACTERS = 1_000_000
_TEXTS = ("reasoning_content", "reasoning", "content", "refusal")
"""The texts of a delta, in the order in which models give them."""


class Differs(ProviderError):
    """The other answer is not the told one: what follows in it does not belong to what the caller has."""

    def __init__(self) -> None:
        super().__init__(Fault.PROTOCOL, "The other attempt's answer is a different one.")


@dataclass(slots=True)
class Called:
    """A tool call, as far as it was told."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Answer:
    """An answer's text, as far as it is known.

    Attributes:
        id: the completion's.
        create_time: when its provider began it.
        texts: by the delta's field; `text` for text completions.
        calls: the tool calls, by index.
        finish_reason: empty: none yet.
    """

    id: str = ""
    create_time: Timestamp = field(default_factory=Timestamp)
    texts: dict[str, str] = field(default_factory=dict)
    calls: dict[int, Called] = field(default_factory=dict)
    finish_reason: str = ""

    @property
    def characters(self) -> int:
        """How long it is: where a recovery went on."""
        return sum(map(len, self.texts.values())) + sum(len(call.arguments) for call in self.calls.values())

    @property
    def byte_count(self) -> int:
        """How many bytes of text it is in UTF-8."""
        texts = *self.texts.values(), *(call.name + call.arguments for call in self.calls.values())
        return sum(len(text.encode()) for text in texts)

    def copy(self) -> "Answer":
        """An answer that stays as this one is now."""
        calls = {index: replace(call) for index, call in self.calls.items()}
        return Answer(self.id, self.create_time, {**self.texts}, calls, self.finish_reason)

    def add(self, chunk: ChatCompletionChunk | TextCompletion) -> bool:
        """Adds a chunk; false where it is of another choice than the first, with which it runs together then."""
        if not self.id:
            self.id = chunk.id
            self.create_time.CopyFrom(chunk.create_time)
        alone = True
        for choice in chunk.choices:
            alone = alone and choice.index == 0
            self.finish_reason = choice.finish_reason or self.finish_reason
            if isinstance(chunk, TextCompletion):
                self.texts["text"] = self.texts.get("text", "") + choice.text  # type: ignore[union-attr]
            else:
                self._add_delta(choice.delta)  # type: ignore[union-attr]
        return alone

    def add_looks(self, chunks: Sequence[ChunkLook]) -> bool:
        """Adds chunks that were looked at, as `add` does."""
        pieces: dict[str, list[str]] = {}
        alone = True
        for chunk in chunks:
            if not self.id:
                self.id = chunk.id
                self.create_time.FromSeconds(chunk.created)
            for choice in chunk.choices:
                alone = alone and choice.index == 0
                self.finish_reason = choice.finish_reason or self.finish_reason
                for name in _TEXTS:
                    if piece := getattr(choice.delta, name):
                        pieces.setdefault(name, []).append(piece)
                for place, call in enumerate(choice.delta.tool_calls or ()):
                    index = place if call.index is None else call.index
                    self._add_call(index, call.id or "", call.function.name or "", call.function.arguments or "")
        for name, texts in pieces.items():
            self.texts[name] = self.texts.get(name, "") + "".join(texts)
        return alone

    def _add_delta(self, delta: Message) -> None:
        for name in _TEXTS:
            if piece := getattr(delta, name):
                self.texts[name] = self.texts.get(name, "") + piece
        for place, piece in enumerate(delta.tool_calls):
            index = piece.index if piece.HasField("index") else place
            self._add_call(index, piece.id, piece.function.name, piece.function.arguments)

    def _add_call(self, index: int, id: str, name: str, arguments: str) -> None:
        call = self.calls.setdefault(index, Called())
        call.id = call.id or id
        call.name += name
        call.arguments += arguments


class Told:
    """Remembers what a caller has been told. Chunks that are JSON are kept as they are until they are many, then read.

    Not their messages: each has a kilobyte and more of its own, which the next one can have as soon as it is let go of.
    """

    __slots__ = ("_answer", "_bytes", "_followed", "_passed_bytes", "_texts")

    def __init__(self) -> None:
        self._answer = Answer()
        self._passed_bytes = 0
        self._texts: list[bytes] = []
        self._bytes = 0
        self._followed = True

    def add(self, batch: Batch) -> None:
        """A batch goes out to the caller."""
        if isinstance(batch, StreamChatCompletionResponse) and not batch.chunks:
            for text in batch.chunks_json[:]:
                self._texts.append(text)
                self._bytes += len(text) + _OBJECT_BYTES
            if self._bytes >= _KEPT_BYTES:
                self._read()
        else:
            self._read()
            self._follow(chunks_of(batch))

    def answer(self) -> Answer | None:
        """All that was told until now; None where it cannot be followed."""
        self._read()
        return self._answer.copy() if self._followed else None

    @property
    def byte_count(self) -> int:
        """How many bytes of text were told in UTF-8, those of all choices: what their tokens can be guessed from."""
        self._read()
        return self._passed_bytes + self._answer.byte_count

    def _read(self) -> None:
        if not self._texts:
            return
        looks = look_at_lines(self._texts)
        if looks is None:
            self._follow(_chunks_of_lines(self._texts))
        else:
            self._added(self._answer.add_looks(looks))
        self._texts.clear()
        self._bytes = 0

    def _follow(self, chunks: Iterable[ChatCompletionChunk | TextCompletion]) -> None:
        alone = [self._answer.add(chunk) for chunk in chunks]
        self._added(all(alone))

    def _added(self, alone: bool) -> None:
        """Keeps no texts, but how much they are, where they are of several choices or too long."""
        self._followed = self._followed and alone and self._answer.characters <= _MOST_CHARACTERS
        if not self._followed:
            self._passed_bytes += self._answer.byte_count
            self._answer = Answer()


def chunks_of(batch: Batch) -> Sequence[ChatCompletionChunk | TextCompletion]:
    """The chunks of a batch as messages, whichever way it carries them."""
    match batch:
        case StreamChatCompletionResponse():
            return [*batch.chunks, *_chunks_of_lines(batch.chunks_json)]
        case StreamTextCompletionResponse():
            return batch.chunks
        case _:
            return ()


def _chunks_of_lines(texts: Iterable[bytes]) -> list[ChatCompletionChunk]:
    lines = [line for text in texts for line in text.split(b"\n") if line.strip()]
    return [CHAT_CHUNK.parse(orjson.loads(line), False) for line in lines]


class Rest:
    """Takes another answer to the same request from its beginning, and gives what follows the told part.

    Args:
        told: what the caller has.
        continued: whether the other answer begins where the told one stopped, because its model was given that.
    """

    __slots__ = ("_said", "_seen", "_told")

    def __init__(self, told: Answer, continued: bool = False) -> None:
        self._told = told
        self._said = Told()
        self._seen: dict[str, int] = {}
        if continued:
            self._seen = {name: len(text) for name, text in told.texts.items()}

    def of(self, batch: Batch) -> Batch | None:
        """What of a batch goes out; None: nothing.

        Raises:
            Differs: the answers are not the same.
        """
        self._said.add(batch)
        chunks = [rest for chunk in chunks_of(batch) if (rest := self._rest(chunk)) is not None]
        if isinstance(batch, StreamTextCompletionResponse):
            out: Batch = StreamTextCompletionResponse(chunks=chunks, finishing=batch.finishing, last=batch.last)  # type: ignore[arg-type]
        else:
            assert isinstance(batch, StreamChatCompletionResponse)
            out = StreamChatCompletionResponse(chunks=chunks, finishing=batch.finishing, last=batch.last)  # type: ignore[arg-type]
        if batch.HasField("usage"):
            out.usage.CopyFrom(batch.usage)  # type: ignore[union-attr]
        elif not chunks and not batch.finishing:
            return None
        return out

    @property
    def said_bytes(self) -> int:
        """How many bytes of text the other answer has said in UTF-8, what was told before among them."""
        return self._said.byte_count

    @property
    def behind(self) -> bool:
        """Whether the other answer has not come to the told one's end yet."""
        told = self._told
        return any(self._seen.get(name, 0) < len(text) for name, text in told.texts.items()) or any(
            self._seen.get(f"call {index}", 0) < len(call.name) + len(call.arguments) for index, call in told.calls.items()
        )

    def _rest(self, chunk: ChatCompletionChunk | TextCompletion) -> ChatCompletionChunk | TextCompletion | None:
        rest = type(chunk)()
        rest.CopyFrom(chunk)  # type: ignore[arg-type]
        rest.id = self._told.id
        rest.create_time.CopyFrom(self._told.create_time)
        if not chunk.choices:
            return rest
        said = False
        for choice in rest.choices:
            if choice.index != 0:
                raise Differs
            said = self._cut(choice) or said
        return rest if said else None

    def _cut(self, choice: ChatChunkChoice | TextChoice) -> bool:
        """Takes the told part out of a choice; tells whether anything is left."""
        if isinstance(choice, ChatChunkChoice):
            left = self._cut_delta(choice.delta)
        else:
            choice.text = self._new("text", choice.text)
            left = bool(choice.text)
        if not choice.finish_reason:
            return left
        if self.behind or self._told.finish_reason not in ("", choice.finish_reason):
            raise Differs
        return left or not self._told.finish_reason

    def _cut_delta(self, delta: Message) -> bool:
        delta.ClearField("role")
        left = False
        for place, name in enumerate(_TEXTS):
            piece = getattr(delta, name)
            if not piece:
                delta.ClearField(name)
                continue
            if any(self._seen.get(before, 0) < len(self._told.texts.get(before, "")) for before in _TEXTS[:place]):
                raise Differs  # the told answer has more of what comes before this
            new = self._new(name, piece)
            if new:
                setattr(delta, name, new)
                left = True
            else:
                delta.ClearField(name)
        calls = [call for place, piece in enumerate(delta.tool_calls) if (call := self._new_call(place, piece)) is not None]
        del delta.tool_calls[:]
        delta.tool_calls.extend(calls)
        return left or bool(calls)

    def _new_call(self, place: int, piece: ToolCall) -> ToolCall | None:
        index = piece.index if piece.HasField("index") else place
        told = self._told.calls.get(index)
        if told is None:
            if self.behind:
                raise Differs
            return piece
        key = f"call {index}"
        whole = told.name + told.arguments
        text = piece.function.name + piece.function.arguments
        seen = self._seen.get(key, 0)
        known = whole[seen : seen + len(text)]
        if not text.startswith(known):
            raise Differs
        self._seen[key] = seen + len(text)
        if len(known) == len(text):
            return None
        if self.behind:
            raise Differs
        return ToolCall(index=index, function={"arguments": text[len(known) :]})

    def _new(self, name: str, piece: str) -> str:
        """What a piece of a text adds to the told one."""
        told = self._told.texts.get(name, "")
        seen = self._seen.get(name, 0)
        known = told[seen : seen + len(piece)]
        if not piece.startswith(known):
            raise Differs
        self._seen[name] = seen + len(piece)
        if len(known) < len(piece) and (self.behind or self._told.finish_reason):
            raise Differs  # it says more here than was told, and has not said all that was told elsewhere
        return piece[len(known) :]
