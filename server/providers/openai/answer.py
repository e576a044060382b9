"""A stream of a vendor of OpenAI's dialect -> the contract's messages, or the vendor's own JSON where it is sound.

A stream's chunks are handed on as the vendor's own JSON where the caller asked for that and nothing needs repair: they are
then only looked at (openai_look.py), which costs a tenth of reading them. Otherwise each is read, repaired and typed.
"""

from collections.abc import Sequence
from typing import cast

from server.providers.answer_checks import cut_short
from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai.calls import Calls
from server.providers.openai.errors import told
from server.providers.openai.look import CallLook, Look, look_at, plain_lines
from server.providers.openai.reading import Json, choices_of, drop_none_strings, finish_reason, object_of, typed
from server.providers.openai.shaping import Shaper
from server.providers.openai.usage import sound_usage
from server.providers.openai.vendors import Vendor
from server.providers.sse import Event, events_of, plain_data_of, split_data
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline_json import CHAT_CHUNK, TEXT_COMPLETION, USAGE, Misfit

_TORN = (b'"choices"', b'"chat.completion.chunk"')
"""What shows that an event which is no JSON was a piece of the answer and not noise: the rest alone is not the answer."""

_HEAD, _TAIL = 1, 2
"""How many of an answer's first chunks, and of a read's last ones, are looked at one by one, unless all are plain: the role
comes first, finish reason and usage come last."""


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
        self._unread = self._chat and ask.as_json and vendor.unread
        request = cast(ChatCompletionRequest, ask.request)
        self._usage_asked = request.stream_options.include_usage
        self._usage_held: Json | None = None
        self._defaults: Json = {"id": ask.request_id, "created": now, "model": ask.model}
        self._prefix = ask.prefix
        self._shapers: dict[int, Shaper] | None = {} if self._chat and Shaper.needed(vendor) else None
        self._calls: dict[int, Calls] = {}
        self._open: set[int] = set()
        self._finished: set[int] = set()
        self.done = False
        """Whether the vendor said that this is all."""
        self.broken = 0
        """How many events made no sense; they were left out."""

    def batch(
        self, complete: bytes, ended: bool = False
    ) -> StreamChatCompletionResponse | StreamTextCompletionResponse | None:
        """What the events of one read bring; None where that is nothing.

        Args:
            complete: the events' text, as `SseParser.complete` gives it.
            ended: whether the body has ended with them.

        Raises:
            ProviderError: an event is an error.
        """
        batch = (self._look(split_data(complete)) if self._unread else None) or self._read(self._data(complete), ended)
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
            raise cut_short()

    def _look(self, chunks: list[bytes], joins: bool = True) -> StreamChatCompletionResponse | None:
        """The batch with the chunks as they are, and where it `joins`, plain ones in one; None where one must be read."""
        if b"[DONE]" in chunks:
            chunks = self._until_done(chunks)
        if not chunks:
            return None
        head = 0 if self._open else _HEAD
        few = len(chunks) <= head + _TAIL
        plain = self._plain(chunks if few else chunks[head:-_TAIL]) if joins else b""
        if few and plain:
            self._open.add(0)
            return StreamChatCompletionResponse(chunks_json=[plain])
        single = chunks[:head] + chunks[-_TAIL:] if plain else chunks
        looks = look_at(single)
        if looks is None:
            return None
        usage: Json | None = None
        kept: list[bytes] = []
        opened, finished = set(self._open), set(self._finished)
        begun: dict[tuple[int, int], CallLook] = {}
        for number, (look, chunk) in enumerate(zip(looks, single, strict=True)):
            if plain and number == head:
                if finished or begun:  # no chunk is plain after an end or a call
                    return self._look(chunks, joins=False)
                kept.append(plain)
                opened.add(0)
            if not self._follows(look, opened, finished, begun):
                return None
            if look.usage is not None:
                if not look.usage.sound:
                    return None
                usage = look.usage.keywords()
                if not look.choices and not self._usage_asked:
                    continue
            kept.append(chunk)
        self._open, self._finished = opened, finished
        for (number, index), call in begun.items():
            self._calls_of(number, self._defaults).begin(
                index, call.id or "", call.function.name or "" if call.function else ""
            )
        if not kept and usage is None:
            return None
        return StreamChatCompletionResponse(chunks_json=kept, finishing=self._finishing(), usage=usage)

    def _follows(self, look: Look, opened: set[int], finished: set[int], begun: dict[tuple[int, int], CallLook]) -> bool:
        """Notes where the choices of a chunk are; False where one of them needs mending."""
        for choice in look.choices:
            if choice.delta.role is not None and (choice.index in opened or choice.index in finished):
                return False
            for call in choice.delta.tool_calls or ():
                place = (choice.index, call.index)
                known = self._calls.get(choice.index)
                if place not in begun and (known is None or known.begins(call.index)):
                    if not call.id or not call.type:
                        return False
                    begun[place] = call
                elif call.id is not None or (call.function is not None and call.function.name is not None):
                    return False
            reason = choice.finish_reason
            if reason is None:
                if choice.index not in finished:
                    opened.add(choice.index)
                continue
            if reason == "stop" or reason == "tool_calls":
                called = choice.index in self._calls or any(number == choice.index for number, _ in begun)
                if called != (reason == "tool_calls"):
                    return False
            opened.discard(choice.index)
            finished.add(choice.index)
        return True

    def _plain(self, chunks: list[bytes]) -> bytes:
        """The chunks as JSON Lines, if all are plain ones of an answer that has not ended; else nothing."""
        return b"" if self._finished or self._calls else plain_lines(chunks)

    def _read(self, chunks: list[bytes], ended: bool) -> StreamChatCompletionResponse | StreamTextCompletionResponse | None:
        """The batch with the chunks read, repaired and typed."""
        usage: Json | None = None
        kept: list[Json] = []
        for data in filter(bytes.strip, chunks):
            chunk = object_of(data)
            choices = None if chunk is None else choices_of(chunk)
            if chunk is None and any(mark in data for mark in _TORN):
                raise ProviderError(Fault.PROTOCOL, "A piece of the provider's answer is torn.")
            if chunk is None or choices is None:
                self.broken += 1
                continue
            if self._vendor.none_strings:
                drop_none_strings(chunk)
            places = [self._mended(choice, chunk) for choice in choices]
            sound = self._usage_of(chunk, bool(choices)) if "usage" in chunk or "x_groq" in chunk else None
            keywords = self._typed(chunk) if choices or "usage" in chunk else {}
            if keywords is None:
                self.broken += 1
                continue
            if sound is not None:
                usage = typed(USAGE.keywords, sound)
            for number, reason in places:
                self._note(number, reason)
            if keywords:
                kept.append(keywords)
        if (ended or self.done) and self._usage_held is not None:
            kept.append(self._typed({"choices": [], "usage": self._usage_held}) or {})
            usage = typed(USAGE.keywords, self._usage_held)
            self._usage_held = None
        if not kept and usage is None:
            return None
        batch = StreamChatCompletionResponse if self._chat else StreamTextCompletionResponse
        # One construction for all: messages that are put into another one would be copied.
        return batch(chunks=kept, finishing=self._finishing(), usage=usage)

    def _usage_of(self, chunk: Json, with_choices: bool) -> Json | None:
        """The usage that a chunk brings.

        It stays in the chunk only where the caller asked for it. From vendors that send it with choices, it is held back
        for a chunk of its own at the end; where chunks may be handed on as they are, it stays where it is.
        """
        given = chunk.get("usage")
        own = chunk.get("x_groq")
        if given is None and isinstance(own, dict):
            given = own.get("usage")
        if given is None:
            if not with_choices:
                chunk.pop("usage", None)
            return None
        chunk.pop("usage", None)
        sound = sound_usage(given, self._vendor)
        if sound is not None and self._usage_asked:
            if with_choices and not self._vendor.verbatim:
                self._usage_held = sound
            else:
                chunk["usage"], self._usage_held = sound, None
        return sound

    def _typed(self, chunk: Json) -> Json | None:
        """What constructs a chunk, with what every chunk has; None where it does not fit."""
        for key, default in self._defaults.items():
            if chunk.get(key):
                self._defaults[key] = chunk[key]
            else:
                chunk[key] = default
        try:
            return (CHAT_CHUNK if self._chat else TEXT_COMPLETION).keywords(chunk, False)
        except Misfit:
            return None

    def _mended(self, choice: Json, chunk: Json) -> tuple[int, str | None]:
        """Mends what SDKs could not take, and says which choice it is and why it ended."""
        index = choice.get("index")
        number = index if type(index) is int else 0
        choice["index"] = number
        if not self._chat:
            reason = choice["finish_reason"] = finish_reason(choice, called=False)
            return number, reason
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            choice["delta"] = delta = {}  # Azure's chunks about filters have none
        if self._vendor.cumulative_chunks:
            choice.pop("message", None)
        if number in self._open or number in self._finished:
            delta.pop("role", None)  # SDKs would join it to the first
        elif not delta.get("role"):
            delta["role"] = "assistant"
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            self._calls_of(number, chunk).mend(calls)
        reason = choice["finish_reason"] = finish_reason(choice, number in self._calls, self._vendor.trusts_stop)
        if self._shapers is not None:
            shaper = self._shapers.setdefault(number, Shaper(self._vendor, self._prefix))
            shaper.shape(delta, ending=reason is not None, answer=chunk)
        return number, reason

    def _calls_of(self, number: int, chunk: Json) -> Calls:
        calls = self._calls.get(number)
        if calls is None:
            calls = self._calls[number] = Calls(f"{chunk.get('id') or self._defaults['id']}_{number}")
        return calls

    def _note(self, number: int, reason: str | None) -> None:
        """Notes where a choice is."""
        if reason is not None:
            self._open.discard(number)
            self._finished.add(number)
        elif number not in self._finished:
            self._open.add(number)

    def _finishing(self) -> bool:
        return bool(self._finished) and not self._open


def _data_of(events: Sequence[Event]) -> list[bytes]:
    """The data of events that are not empty.

    Raises:
        ProviderError: one of them is an error.
    """
    for event in events:
        if event.name == "error":
            raise told(object_of(event.data) or {"error": event.data.decode("utf-8", "replace")})
    return [event.data for event in events if event.data.strip()]
