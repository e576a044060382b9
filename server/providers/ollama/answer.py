"""Ollama's lines -> batches of chunks of the contract; an unstreamed answer is a single line that holds all of it.

Calls of tools come whole, mostly without ids, and so get one. Source: https://docs.ollama.com/api/chat (2026-11).
"""

from collections.abc import Callable, Sequence

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import NO_CHOICES
from server.providers.ollama.errors import error_in
from server.providers.refusals import ended_in_error
from server.providers.vectors import embedding
from server.providers.wire import Count, arguments_text, decoded
from trunkline.v1.chat_pb2 import ChatChunkChoice, ChatCompletionChunk, FunctionCall, Message, ToolCall, Usage
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline.v1.text_pb2 import EmbeddingList, TextChoice, TextCompletion


class _Function(msgspec.Struct):
    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Call(msgspec.Struct):
    function: _Function
    id: str = ""


class _Message(msgspec.Struct):
    content: str = ""
    thinking: str = ""
    tool_calls: list[_Call] | None = None


class _Line(msgspec.Struct):
    """A line of either operation: what it says, and at the end of the answer why it ended and what it took."""

    model: str = ""
    message: _Message | None = None
    response: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Count = 0
    eval_count: Count = 0
    error: msgspec.Raw = msgspec.Raw()

    def usage(self) -> Usage:
        """The usage; a prompt that was wholly cached is not counted by older versions."""
        input_tokens, output_tokens = self.prompt_eval_count, self.eval_count
        return Usage(input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens)


class _Embeddings(msgspec.Struct):
    embeddings: list[list[float]]
    model: str = ""
    prompt_eval_count: Count = 0


_LINE = msgspec.json.Decoder(_Line)
_EMBEDDINGS = msgspec.json.Decoder(_Embeddings)


class ChatStream:
    """A chat answer on its way.

    Args:
        id: of the answer; the vendor gives none.
        now: epoch seconds, for the chunks.
        new_id: makes the ids of calls that have none.
        usage_asked: whether the caller wants a chunk with the usage.
    """

    def __init__(self, id: str, now: int, new_id: Callable[[], str], usage_asked: bool) -> None:
        self._id = id
        self._now = Timestamp(seconds=now)
        self._new_id = new_id
        self._usage_asked = usage_asked
        self._role_due = True
        self._calls = 0
        self.done = False
        """Whether the vendor said that this is all."""

    def batch(self, lines: Sequence[bytes]) -> StreamChatCompletionResponse | None:
        """The batch of one read's lines; None where they bring nothing.

        Raises:
            ProviderError: a line is an error, or makes no sense.
        """
        batch = StreamChatCompletionResponse()
        for data in lines:
            if self.done:
                break
            self._take(_line(data), batch)
        return batch if batch.chunks else None

    def whole(self, body: bytes) -> StreamChatCompletionResponse:
        """The batch of an unstreamed answer.

        Raises:
            ProviderError: it is an error, or makes no sense.
        """
        line = _line(body)
        if not line.done:
            raise _broken("is not complete")
        delta = self._delta(line)
        delta.role = "assistant"
        for call in delta.tool_calls:
            call.ClearField("index")
        usage = line.usage()
        chunk = self._chunk(line, delta, self._reason(line))
        chunk.usage.CopyFrom(usage)
        return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=usage)

    def _take(self, line: _Line, batch: StreamChatCompletionResponse) -> None:
        delta = self._delta(line)
        if delta.ByteSize() or line.done:
            if self._role_due:
                self._role_due = False
                delta.role = "assistant"
            batch.chunks.append(self._chunk(line, delta, self._reason(line) if line.done else None))
        if line.done:
            self.done = batch.finishing = True
            batch.usage.CopyFrom(line.usage())
            if self._usage_asked:
                last = self._chunk(line, None, None)
                last.usage.CopyFrom(batch.usage)
                batch.chunks.append(last)

    def _delta(self, line: _Line) -> Message:
        message = line.message
        if message is None:
            raise _broken("has no message")
        calls = [self._call(call) for call in message.tool_calls or ()]
        return Message(content=message.content or None, reasoning_content=message.thinking or None, tool_calls=calls)

    def _call(self, call: _Call) -> ToolCall:
        index, self._calls = self._calls, self._calls + 1
        function = FunctionCall(name=call.function.name, arguments=arguments_text(call.function.arguments))
        return ToolCall(index=index, id=call.id or f"call_{self._new_id()}", type="function", function=function)

    def _reason(self, line: _Line) -> str:
        """OpenAI's word for why an answer ended; calls count by being there, the vendor has no word for them."""
        return "length" if line.done_reason == "length" else "tool_calls" if self._calls else "stop"

    def _chunk(self, line: _Line, delta: Message | None, reason: str | None) -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=self._id,
            create_time=self._now,
            model=line.model,
            choices=[] if delta is None else [ChatChunkChoice(index=0, delta=delta, finish_reason=reason)],
            extra_json=NO_CHOICES if delta is None else "",
        )


class TextStream:
    """A text completion on its way.

    Args:
        id: of the answer; the vendor gives none.
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage.
    """

    def __init__(self, id: str, now: int, usage_asked: bool) -> None:
        self._id = id
        self._now = Timestamp(seconds=now)
        self._usage_asked = usage_asked
        self.done = False
        """Whether the vendor said that this is all."""

    def batch(self, lines: Sequence[bytes]) -> StreamTextCompletionResponse | None:
        """The batch of one read's lines, as `ChatStream.batch`."""
        batch = StreamTextCompletionResponse()
        for data in lines:
            if self.done:
                break
            line = _line(data)
            chunk = self._chunk(line)
            if line.response or line.done:
                batch.chunks.append(chunk)
            if line.done:
                self.done = batch.finishing = True
                batch.usage.CopyFrom(line.usage())
                if self._usage_asked:
                    batch.chunks.append(
                        TextCompletion(
                            id=self._id, create_time=self._now, model=line.model, usage=batch.usage, extra_json=NO_CHOICES
                        )
                    )
        return batch if batch.chunks else None

    def whole(self, body: bytes) -> StreamTextCompletionResponse:
        """The batch of an unstreamed answer, as `ChatStream.whole`."""
        line = _line(body)
        if not line.done:
            raise _broken("is not complete")
        chunk, usage = self._chunk(line), line.usage()
        chunk.usage.CopyFrom(usage)
        return StreamTextCompletionResponse(chunks=[chunk], finishing=True, usage=usage)

    def _chunk(self, line: _Line) -> TextCompletion:
        if line.response is None:
            raise _broken("has no response")
        reason = None if not line.done else "length" if line.done_reason == "length" else "stop"
        choice = TextChoice(index=0, text=line.response, finish_reason=reason)
        return TextCompletion(id=self._id, create_time=self._now, model=line.model, choices=[choice])


def embedding_list(body: bytes, model: str, count: int, as_base64: bool) -> EmbeddingList:
    """The vectors, in the order of the texts.

    Args:
        model: the model that was asked.
        count: how many texts there were.
        as_base64: whether the caller wants them as base64 of little-endian floats.

    Raises:
        ProviderError: PROTOCOL when the body holds no vector for each text; what it says, when it is an error.
    """
    answer = decoded(_EMBEDDINGS, body, error_in, "The provider's answer has no vectors.")
    if len(answer.embeddings) != count:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer does not have a vector for each text.")
    data = [embedding(index, vector, as_base64) for index, vector in enumerate(answer.embeddings)]
    usage = Usage(input_tokens=answer.prompt_eval_count, total_tokens=answer.prompt_eval_count)
    return EmbeddingList(data=data, model=answer.model or model, usage=usage)


def _line(data: bytes) -> _Line:
    line = decoded(_LINE, data, error_in, "The provider's answer is malformed.")
    if bytes(line.error) not in (b"", b"null"):
        raise error_in(data) or ended_in_error()
    return line


def _broken(what: str) -> ProviderError:
    return ProviderError(Fault.PROTOCOL, f"The provider's answer {what}.")
