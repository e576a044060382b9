"""What a vendor of OpenAI's dialect answers -> the contract's messages, whole or as a stream.

A stream's chunks are handed on as the vendor's own JSON where the caller asked for that and nothing needs repair: they are
then only looked at (openai_look.py), which costs a tenth of reading them. Otherwise each is read, repaired and typed.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import orjson

from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai_errors import told
from server.providers.openai_look import all_plain, look_at, look_at_whole
from server.providers.openai_vendors import Vendor
from server.providers.sse import Event, events_of, plain_data_of, split_data
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline_json import CHAT_CHUNK, TEXT_COMPLETION, USAGE, Misfit

Json = dict[str, object]
M = TypeVar("M")

_TAIL = 2
"""How many of a read's chunks are looked at one by one: finish reason and usage come last."""

_OTHER_REASONS = {"model_length": "length", "repetition": "stop"}
"""What Mistral and vLLM call a finish reason."""

_FAILURES = frozenset({"error", "insufficient_system_resource", "abort"})
"""Finish reasons that mean that the answer failed (Mistral, OpenRouter and vLLM; DeepSeek; vLLM). Read in 2026-11."""


def read_json(body: bytes, what: str) -> Json:
    """The JSON object of an answer.

    Raises:
        ProviderError: PROTOCOL when it is none; whatever it says, when it is an error object.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ProviderError(Fault.PROTOCOL, f"The provider's {what} is not JSON.") from None
    if not isinstance(answer, dict):
        raise ProviderError(Fault.PROTOCOL, f"The provider's {what} is not a JSON object.")
    if answer.get("error"):
        raise told(answer)
    return answer


def whole_chat_unread(body: bytes) -> StreamChatCompletionResponse | None:
    """An unstreamed chat completion as the vendor wrote it; None where it must be read to be mended or refused."""
    look = look_at_whole(body)
    if look is None:
        return None
    if not look.choices or any(choice.finish_reason == "stop" and choice.message.calls_tools for choice in look.choices):
        return None
    usage = None if look.usage is None else look.usage.keywords()
    return StreamChatCompletionResponse(chunks_json=[body], finishing=True, usage=usage)


def whole_chat(answer: Json, vendor: Vendor) -> StreamChatCompletionResponse:
    """An unstreamed chat completion, as one chunk that holds the whole of it."""
    choices = _choices(answer)
    for choice in choices:
        message = choice.pop("message", None)
        if not isinstance(message, dict):
            raise ProviderError(Fault.PROTOCOL, "The provider's answer has a choice without a message.")
        choice["delta"] = message
        choice["finish_reason"] = _finish_reason(choice, called=bool(message.get("tool_calls")))
    if not choices:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no choices.")
    _repair(answer, vendor)
    chunk = _typed(CHAT_CHUNK.parse, answer)
    usage = chunk.usage if chunk.HasField("usage") else None
    return StreamChatCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


def whole_text(answer: Json, vendor: Vendor) -> StreamTextCompletionResponse:
    """An unstreamed text completion, as one chunk."""
    choices = _choices(answer)
    if not choices:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no choices.")
    for choice in choices:
        choice["finish_reason"] = _finish_reason(choice, called=False)
    _repair(answer, vendor)
    chunk = _typed(TEXT_COMPLETION.parse, answer)
    usage = chunk.usage if chunk.HasField("usage") else None
    return StreamTextCompletionResponse(chunks=[chunk], finishing=True, usage=usage)


class AnswerStream:
    """A stream on its way: takes the events of each read and gives a batch, and knows whether the end was a proper one.

    Args:
        ask: what was asked.
        vendor: whom.
        now: epoch seconds, for chunks without a time.
    """

    def __init__(self, ask: Ask, vendor: Vendor, now: int) -> None:
        self._vendor = vendor
        self._chat = ask.operation is Operation.CHAT
        self._unread = self._chat and ask.as_json and vendor.verbatim
        request = cast(ChatCompletionRequest, ask.request)
        self._usage_asked = request.stream_options.include_usage
        self._defaults: Json = {"id": ask.request_id, "created": now, "model": ask.model}
        self._called: set[int] = set()
        self._open: set[int] = set()
        self._finished: set[int] = set()
        self.done = False
        """Whether the vendor said that this is all."""

    def batch(self, complete: bytes) -> StreamChatCompletionResponse | StreamTextCompletionResponse | None:
        """What the events of one read bring; None where that is nothing.

        Args:
            complete: the events' text, as `SseParser.complete` gives it.

        Raises:
            ProviderError: an event is an error, or makes no sense.
        """
        batch = (self._look(split_data(complete)) if self._unread else None) or self._read(self._data(complete))
        if batch is not None and self.done:
            batch.last = True
        return batch

    def _data(self, complete: bytes) -> list[bytes]:
        chunks = plain_data_of(complete)
        return self._until_done(_data_of(events_of(complete)) if chunks is None else chunks)

    def _until_done(self, chunks: list[bytes]) -> list[bytes]:
        """The chunks before the vendor's word that this is all."""
        if b"[DONE]" not in chunks:
            return chunks
        self.done = True
        return chunks[: chunks.index(b"[DONE]")]

    def end(self) -> None:
        """Says that nothing more comes.

        Raises:
            ProviderError: PROTOCOL when that is not the answer's proper end.
        """
        if self._open or not self._finished:
            raise ProviderError(Fault.PROTOCOL, "The provider's stream ended before the answer did.")

    def _look(self, chunks: list[bytes]) -> StreamChatCompletionResponse | None:
        """The batch with the chunks as they are; None where one of them must be read."""
        chunks = self._until_done(chunks)
        if not chunks:
            return None
        plain = self._plain(chunks[:-_TAIL])
        tail = chunks[-_TAIL:] if plain else chunks
        looks = look_at(tail)
        if looks is None:
            return None
        usage: Json | None = None
        kept = [plain] if plain else []
        opened, finished = set(self._open), set(self._finished)
        for look, chunk in zip(looks, tail, strict=True):
            for choice in look.choices:
                if choice.delta.calls_tools:
                    self._called.add(choice.index)
                if choice.finish_reason is None:
                    if choice.index not in finished:
                        opened.add(choice.index)
                elif choice.finish_reason == "stop" and choice.index in self._called:
                    return None
                else:
                    opened.discard(choice.index)
                    finished.add(choice.index)
            if look.usage is not None:
                usage = look.usage.keywords()
                if not look.choices and not self._usage_asked:
                    continue
            kept.append(chunk)
        self._open, self._finished = opened, finished
        if not kept and usage is None:
            return None
        return StreamChatCompletionResponse(chunks_json=kept, finishing=self._finishing(), usage=usage)

    def _plain(self, chunks: list[bytes]) -> bytes:
        """The chunks as JSON Lines, if all are plain ones of an answer that has not ended; else nothing."""
        if not chunks or self._finished or self._called or not all_plain(chunks):
            return b""
        self._open.add(0)
        return b"\n".join(chunks)

    def _read(self, chunks: list[bytes]) -> StreamChatCompletionResponse | StreamTextCompletionResponse | None:
        """The batch with the chunks read, repaired and typed."""
        form = CHAT_CHUNK if self._chat else TEXT_COMPLETION
        usage: Json | None = None
        typed: list[Json] = []
        for data in filter(bytes.strip, chunks):
            chunk = read_json(data, "stream")
            choices = _choices(chunk)
            _repair(chunk, self._vendor)
            for choice in choices:
                self._follow(choice)
            brings_usage = isinstance(chunk.get("usage"), dict)
            if brings_usage:
                usage = _typed(USAGE.keywords, chunk["usage"])
                if not self._usage_asked:
                    del chunk["usage"]
            if not choices and not (brings_usage and self._usage_asked):
                continue  # usage that nobody asked for, or Azure's chunk about the prompt
            for key, default in self._defaults.items():
                if chunk.get(key):
                    self._defaults[key] = chunk[key]
                else:
                    chunk[key] = default
            typed.append(_typed(form.keywords, chunk))
        if not typed and usage is None:
            return None
        batch = StreamChatCompletionResponse if self._chat else StreamTextCompletionResponse
        # One construction for all: messages that are put into another one would be copied.
        return batch(chunks=typed, finishing=self._finishing(), usage=usage)

    def _follow(self, choice: Json) -> None:
        """Notes where a choice is, and mends what SDKs could not take."""
        index = choice.get("index")
        number = index if type(index) is int else 0
        choice["index"] = number
        if self._chat:
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                choice["delta"] = delta = {}  # Azure's chunks about filters have none
            if self._vendor.cumulative_chunks:
                choice.pop("message", None)
            calls = delta.get("tool_calls")
            if calls and isinstance(calls, list):
                self._called.add(number)
                for position, call in enumerate(calls):
                    if isinstance(call, dict) and type(call.get("index")) is not int:
                        call["index"] = position
        reason = choice["finish_reason"] = _finish_reason(choice, called=number in self._called)
        if reason is None:
            if number not in self._finished:
                self._open.add(number)
            return
        self._open.discard(number)
        self._finished.add(number)

    def _finishing(self) -> bool:
        return bool(self._finished) and not self._open


def _data_of(events: Sequence[Event]) -> list[bytes]:
    """The data of events that are not empty.

    Raises:
        ProviderError: one of them is an error.
    """
    for event in events:
        if event.name == "error":
            raise told(read_json(event.data, "error event"))
    return [event.data for event in events if event.data.strip()]


def _finish_reason(choice: Json, called: bool) -> str | None:
    """Why a choice ended, in OpenAI's words; None where it has not.

    Args:
        called: whether it calls tools; whoever does ends with `tool_calls`, whatever the vendor says.

    Raises:
        ProviderError: it failed.
    """
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or not reason:
        return None
    if reason in _FAILURES:
        raise ProviderError(Fault.SERVER, "The provider ended its answer with an error.")
    reason = _OTHER_REASONS.get(reason, reason)
    return "tool_calls" if called and reason == "stop" else reason


def _choices(answer: Json) -> list[Json]:
    choices = answer.get("choices")
    if choices is None:
        choices = answer["choices"] = []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no proper choices.")
    return cast(list[Json], choices)


def _repair(answer: Json, vendor: Vendor) -> None:
    """Mends what the vendor is known to write differently."""
    if vendor.none_strings:
        _drop_none_strings(answer)
    usage = answer.get("usage")
    if vendor.reasoning_apart and isinstance(usage, dict):
        details = usage.get("completion_tokens_details")
        reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
        completion, prompt = usage.get("completion_tokens"), usage.get("prompt_tokens")
        if type(reasoning) is int and type(completion) is int and type(prompt) is int:
            usage["completion_tokens"] = completion + reasoning
            usage["total_tokens"] = prompt + completion + reasoning


def _drop_none_strings(value: object) -> None:
    items = value.items() if isinstance(value, dict) else ()
    for key, item in list(items):
        if item == "None" and key != "content":
            cast(Json, value)[key] = None
        else:
            _drop_none_strings(item)
    for item in value if isinstance(value, list) else ():
        _drop_none_strings(item)


def _typed(parse: Callable[[object, bool], M], value: object) -> M:
    try:
        return parse(value, False)
    except Misfit:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer does not have the form of an answer.") from None
