"""Pieces of text -> the contract's chunks, of chat or of text completions, as was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.base import Ask, Operation
from server.providers.extra_fields import NO_CHOICES
from trunkline.v1.chat_pb2 import ChatChunkChoice, ChatCompletionChunk, Message, Usage
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline.v1.text_pb2 import TextChoice, TextCompletion

C = TypeVar("C", ChatCompletionChunk, TextCompletion)

_FINISH_REASONS = {
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "length": "length",
    "ERROR_TOXIC": "content_filter",
    "content_filter": "content_filter",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event, or the whole, of an older answer says.

    Attributes:
        text: what it adds to the text.
        finish_reason: in OpenAI's words; None unless it is the last one.
        usage: where the vendor tells.
        id: the answer's; empty where the vendor gives none.
        model: the one that answered; empty where the vendor does not say.
        extra_json: fields for the chunk's top level.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    extra_json: str = ""


def finish_reason(said: str | None, usage: Usage | None, max_tokens: int) -> str:
    """OpenAI's word for why an answer ended; where the vendor does not say, the limit tells."""
    if said is None and usage is not None and usage.output_tokens >= max_tokens:
        return "length"
    return _FINISH_REASONS.get(said or "", "stop")


def counted(input_tokens: int, output_tokens: int, extra_json: str = "") -> Usage:
    """A usage of so many tokens."""
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
        extra_json=extra_json,
    )


class AnswerWriter:
    """Writes one answer.

    Args:
        ask: what was asked.
        usage_asked: whether the caller of a stream wants a chunk with the usage.
        now: epoch seconds, for the chunks.
    """

    def __init__(self, ask: Ask, usage_asked: bool, now: int) -> None:
        self._chat = ask.operation is Operation.CHAT
        self._id = ask.request_id
        self._model = ask.model
        self._usage_asked = usage_asked
        self._now = Timestamp(seconds=now)
        self._role_due = True

    def whole(self, piece: Piece) -> StreamChatCompletionResponse | StreamTextCompletionResponse:
        """The batch of an unstreamed answer: one chunk with all there is."""
        self._learn(piece)
        if self._chat:
            delta = Message(role="assistant", content=piece.text)
            choice = ChatChunkChoice(index=0, delta=delta, finish_reason=piece.finish_reason)
            chunk = self._named(ChatCompletionChunk(choices=[choice], usage=piece.usage, extra_json=piece.extra_json))
            return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=piece.usage)
        text = TextChoice(index=0, text=piece.text, finish_reason=piece.finish_reason)
        completion = self._named(TextCompletion(choices=[text], usage=piece.usage, extra_json=piece.extra_json))
        return StreamTextCompletionResponse(chunks=[completion], finishing=True, usage=piece.usage)

    def streamed(self, pieces: Sequence[Piece]) -> StreamChatCompletionResponse | StreamTextCompletionResponse | None:
        """The batch of what one read brought; None where it brought nothing."""
        finishing = any(piece.finish_reason is not None for piece in pieces)
        usage = next((piece.usage for piece in pieces if piece.usage is not None), None)
        if self._chat:
            chunks = [chunk for piece in pieces for chunk in self._chat_chunks(piece)]
            if not chunks:
                return None
            if usage is not None and self._usage_asked:
                chunks.append(self._named(ChatCompletionChunk(usage=usage, extra_json=NO_CHOICES)))
            return StreamChatCompletionResponse(chunks=chunks, finishing=finishing, usage=usage)
        texts = [chunk for piece in pieces for chunk in self._text_chunks(piece)]
        if not texts:
            return None
        if usage is not None and self._usage_asked:
            texts.append(self._named(TextCompletion(usage=usage, extra_json=NO_CHOICES)))
        return StreamTextCompletionResponse(chunks=texts, finishing=finishing, usage=usage)

    def _learn(self, piece: Piece) -> None:
        self._id = piece.id or self._id
        self._model = piece.model or self._model

    def _chat_chunks(self, piece: Piece) -> list[ChatCompletionChunk]:
        if not piece.text and piece.finish_reason is None:
            return []
        self._learn(piece)
        deltas = [Message(content=piece.text)] if piece.text else []
        if self._role_due:
            self._role_due = False
            deltas.insert(0, Message(role="assistant"))
        chunks = [ChatCompletionChunk(choices=[ChatChunkChoice(index=0, delta=delta)]) for delta in deltas]
        if piece.finish_reason is not None:
            last = ChatChunkChoice(index=0, delta=Message(), finish_reason=piece.finish_reason)
            chunks.append(ChatCompletionChunk(choices=[last], extra_json=piece.extra_json))
        return [self._named(chunk) for chunk in chunks]

    def _text_chunks(self, piece: Piece) -> list[TextCompletion]:
        if not piece.text and piece.finish_reason is None:
            return []
        self._learn(piece)
        choice = TextChoice(index=0, text=piece.text, finish_reason=piece.finish_reason)
        return [self._named(TextCompletion(choices=[choice], extra_json=piece.extra_json))]

    def _named(self, chunk: C) -> C:
        """A chunk with what every one of the answer has."""
        chunk.id, chunk.model = self._id, self._model
        chunk.create_time.CopyFrom(self._now)
        return chunk
