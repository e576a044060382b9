"""Gemini's answer -> chunks of the contract: the one that holds the whole of it, or the next ones of a stream.

Signatures stand where `gemini_signature` says. Media that the model makes are the delta's `images`, by OpenRouter's form, or
its `audio`; what the vendor says about its sources is handed on as it is, under the choice's key `google`.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.answer_checks import cut_short
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import NO_CHOICES
from server.providers.gemini.signature import signed
from server.providers.gemini.wire import (
    WireAnswer,
    WireBlob,
    WireCandidate,
    WireFeedback,
    WireLogprob,
    WireLogprobs,
    WirePart,
    WireUsage,
    read_answer,
)
from server.providers.refusals import beginning
from server.providers.sse import Event
from server.providers.wire import arguments_text, take_over
from trunkline.v1.chat_pb2 import (
    ChatChunkChoice,
    ChatCompletionChunk,
    FunctionCall,
    Logprobs,
    Message,
    TokenLogprob,
    Usage,
)
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

_NO_REASON = ("", "FINISH_REASON_UNSPECIFIED")
_LENGTH = frozenset({"MAX_TOKENS"})
_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)
_FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "LANGUAGE",
        "OTHER",
        "NO_IMAGE",
        "IMAGE_OTHER",
    }
)
"""The other reasons, `STOP` and unknown ones, are `stop` or `tool_calls`."""


class AnswerReader:
    """An answer on its way.

    Args:
        model: the model asked, where the answer names none.
        choices: how many choices were asked for.
        now: epoch seconds, for the chunks.
        usage_asked: whether the caller wants a chunk with the usage at a stream's end.
        new_id: makes what the vendor gives no id a unique one.
    """

    def __init__(self, model: str, choices: int, now: int, usage_asked: bool, new_id: Callable[[], str]) -> None:
        self._model = model
        self._id = ""
        self._choices = choices
        self._now = Timestamp(seconds=now)
        self._usage_asked = usage_asked
        self._new_id = new_id
        self._calls: dict[int, int] = {}
        """How many calls each choice has so far; a choice that has begun is in it."""
        self._images: dict[int, int] = {}
        """How many images each choice has so far."""
        self._finished: set[int] = set()
        self._said_finished = False
        self._usage: WireUsage | None = None

    def whole(self, body: bytes) -> StreamChatCompletionResponse:
        """The batch of an unstreamed answer.

        Raises:
            ProviderError: PROTOCOL when the body is no answer, or has not ended; whatever it says, when it is an error.
        """
        answer = read_answer(body, "answer")
        choices = self._take(answer)
        if not self._ended():
            raise ProviderError(Fault.PROTOCOL, "The provider's answer has no proper end.")
        for choice in choices:
            for call in choice.delta.tool_calls:
                call.ClearField("index")
        usage = self._typed_usage()
        return StreamChatCompletionResponse(chunks=[self._chunk(choices, usage)], finishing=True, usage=usage)

    def batches(self, events: Sequence[Event]) -> Iterator[StreamChatCompletionResponse]:
        """The batch of one read's events, where they bring something; also what came before a fault among them.

        Raises:
            ProviderError: an event is an error, or makes no sense.
        """
        chunks: list[ChatCompletionChunk] = []
        counted = False
        try:
            for event in events:
                if event.data.strip() in (b"", b"[DONE]"):
                    continue
                answer = read_answer(event.data, "stream")
                choices = self._take(answer)
                counted = counted or answer.usage_metadata is not None
                if choices:
                    chunks.append(self._chunk(choices, None))
        finally:
            if chunks or counted:
                self._said_finished = len(self._finished) >= self._choices
                usage = self._typed_usage() if counted else None
                yield StreamChatCompletionResponse(chunks=chunks, finishing=self._said_finished, usage=usage)

    def end(self) -> Iterator[StreamChatCompletionResponse]:
        """What is left to say at the end of the body: the usage, where it was asked for.

        Raises:
            ProviderError: PROTOCOL when that is not the answer's proper end.
        """
        if not self._ended():
            raise cut_short()
        usage = self._typed_usage()
        if self._usage_asked and usage is not None:
            yield StreamChatCompletionResponse(chunks=[self._chunk((), usage)], finishing=True, usage=usage)
        elif not self._said_finished:  # fewer choices than were asked for, which only the end tells
            yield StreamChatCompletionResponse(finishing=True, usage=usage or Usage())

    def _ended(self) -> bool:
        return bool(self._calls) and self._finished == self._calls.keys()

    def _take(self, answer: WireAnswer) -> list[ChatChunkChoice]:
        self._id = self._id or answer.response_id
        self._model = answer.model_version or self._model
        if answer.usage_metadata is not None:
            if self._usage is None:
                self._usage = answer.usage_metadata
            else:
                take_over(self._usage, answer.usage_metadata)
        if answer.blocked is not None:
            return [self._refused(index, answer.blocked) for index in range(self._choices) if index not in self._finished]
        found = (self._choice(candidate) for candidate in answer.candidates)
        return [choice for choice in found if choice is not None]

    def _choice(self, candidate: WireCandidate) -> ChatChunkChoice | None:
        """What a candidate's next piece adds; None where it adds nothing."""
        parts = candidate.content.parts if candidate.content is not None else []
        reason = None if candidate.finish_reason in _NO_REASON else candidate.finish_reason
        if candidate.index in self._finished:
            if parts:
                raise ProviderError(Fault.PROTOCOL, "The provider's stream goes on with a choice that has ended.")
            return None
        begun = candidate.index in self._calls
        calls = self._calls.setdefault(candidate.index, 0)
        images = self._images.get(candidate.index, 0)
        delta, drawn = _delta(parts, calls, images, self._new_id)
        self._calls[candidate.index] = calls + len(delta.tool_calls)
        self._images[candidate.index] = images + drawn
        extra = _sources(candidate)
        if not parts and reason is None and not extra:
            if not begun:
                del self._calls[candidate.index]
            return None
        if not begun:
            delta.role = "assistant"
        if reason is not None:
            self._finished.add(candidate.index)
            reason = _finish_reason(reason, candidate.finish_message, called=self._calls[candidate.index] > 0)
            if reason == "content_filter" and candidate.finish_message:
                delta.refusal = candidate.finish_message
        return ChatChunkChoice(
            index=candidate.index,
            delta=delta,
            finish_reason=reason,
            logprobs=None if candidate.logprobs_result is None else _logprobs(candidate.logprobs_result),
            extra_json=extra,
        )

    def _refused(self, index: int, feedback: WireFeedback) -> ChatChunkChoice:
        """The choice that a prompt gets which the vendor does not answer."""
        delta = Message() if index in self._calls else Message(role="assistant")
        if feedback.block_reason_message:
            delta.refusal = feedback.block_reason_message
        self._calls.setdefault(index, 0)
        self._finished.add(index)
        return ChatChunkChoice(index=index, delta=delta, finish_reason="content_filter")

    def _typed_usage(self) -> Usage | None:
        return None if self._usage is None else self._usage.typed()

    def _chunk(self, choices: Sequence[ChatChunkChoice], usage: Usage | None) -> ChatCompletionChunk:
        self._id = self._id or f"chatcmpl-{self._new_id()}"
        return ChatCompletionChunk(
            id=self._id,
            create_time=self._now,
            model=self._model,
            choices=choices,
            usage=usage,
            extra_json="" if choices else NO_CHOICES,
        )


def _finish_reason(reason: str, message: str, called: bool) -> str:
    """OpenAI's word for why a choice ended; calls count by being there, as the vendor has no reason for them.

    Raises:
        ProviderError: SERVER when it did not end but fail.
    """
    if reason in _FAILED:
        told = f": {beginning(message)}" if message else "."
        raise ProviderError(Fault.SERVER, f"The provider gave up on its answer ({reason}){told}")
    if reason in _LENGTH:
        return "length"
    if reason in _FILTERED:
        return "content_filter"
    return "tool_calls" if called else "stop"


def _delta(parts: Sequence[WirePart], first_call: int, first_image: int, new_id: Callable[[], str]) -> tuple[Message, int]:
    """What parts add to a choice, and how many images of it."""
    delta = Message()
    images: list[dict[str, object]] = []
    texts: list[str] = []
    thoughts: list[str] = []
    extra: dict[str, object] = {}
    for part in parts:
        if part.function_call is not None:
            args = msgspec.json.format(bytes(part.function_call.args), indent=-1)  # unstreamed answers come indented
            name, arguments = part.function_call.name, arguments_text(msgspec.Raw(args))
            delta.tool_calls.add(
                index=first_call + len(delta.tool_calls),
                id=part.function_call.id or f"call_{new_id()}",
                type="function",
                function=FunctionCall(name=name, arguments=arguments),
                extra_json=_json(signed(part.thought_signature)) if part.thought_signature else "",
            )
            continue
        if part.thought_signature:
            extra.update(signed(part.thought_signature))
        if part.inline_data is not None and not part.thought:
            _add_media(extra, images, first_image, part.inline_data)
        (thoughts if part.thought else texts).append(part.text)
    if content := "".join(texts):
        delta.content = content
    if reasoning := "".join(thoughts):
        delta.reasoning_content = reasoning
    if images:
        extra["images"] = images
    if extra:
        delta.extra_json = _json(extra)
    return delta, len(images)


def _add_media(extra: dict[str, object], images: list[dict[str, object]], first: int, media: WireBlob) -> None:
    if media.mime_type.startswith("audio/"):
        extra["audio"] = {"data": media.data, "mime_type": media.mime_type}
        return
    url = f"data:{media.mime_type};base64,{media.data}"
    images.append({"type": "image_url", "image_url": {"url": url}, "index": first + len(images)})


def _sources(candidate: WireCandidate) -> str:
    told = {
        "grounding_metadata": candidate.grounding_metadata,
        "citation_metadata": candidate.citation_metadata,
        "url_context_metadata": candidate.url_context_metadata,
    }
    kept = {name: value for name, value in told.items() if value}
    return _json({"google": kept}) if kept else ""


def _logprobs(result: WireLogprobs) -> Logprobs:
    tops = [[_logprob(token) for token in top.candidates] for top in result.top_candidates]
    content = []
    for place, chosen in enumerate(result.chosen_candidates):
        logprob = _logprob(chosen)
        logprob.top_logprobs.extend(tops[place] if place < len(tops) else ())
        content.append(logprob)
    return Logprobs(content=content)


def _logprob(token: WireLogprob) -> TokenLogprob:
    return TokenLogprob(token=token.token, logprob=token.log_probability, bytes=token.token.encode())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
