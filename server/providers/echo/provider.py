"""Answers without a network and always alike: chat and text by what was said, embeddings and images by its hash.

For trying everything without a key. `chunk_delay_ms` of the settings is the pause between the chunks of a stream.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from server.providers.base import Ask, Batch, Operation, Provider, ProviderContext
from server.providers.echo.media import png, vector
from server.providers.echo.reply import Reply, chat_reply, check_stop, text_of, text_reply, words_of
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import NO_CHOICES
from server.providers.vectors import embedding
from trunkline.v1.chat_pb2 import (
    ChatChunkChoice,
    ChatCompletionChunk,
    ChatCompletionRequest,
    FunctionCall,
    Message,
    ToolCall,
    Usage,
)
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    CreateImagesResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.text_pb2 import (
    EmbeddingList,
    EmbeddingRequest,
    Image,
    ImageList,
    ImageRequest,
    ImageUsage,
    TextChoice,
    TextCompletion,
    TextCompletionRequest,
    TextInput,
)

_DIMENSIONS = 16
_MOST_DIMENSIONS = 16_384
_MOST_CHOICES = 128
_MOST_PIECES = 65_536
"""Of an answer: chunks, or choices. They are made at once, and nobody else is served while they are."""
_MOST_CHARACTERS = 100_000_000
"""Of all choices together."""
_MOST_NUMBERS = 4_000_000
"""Of all vectors together."""
_MOST_STEPS = 64
"""How many steps go out in one batch where nothing paces them."""

C = TypeVar("C")


def build(context: ProviderContext) -> "Echo":
    """Builds the provider of a row of the type `echo`."""
    return Echo(context)


class Echo(Provider):
    """A provider that says what was said.

    Args:
        context: what every provider is built from.
    """

    def __init__(self, context: ProviderContext) -> None:
        self.operations = frozenset(Operation) - {Operation.VIDEOS}
        self._clock = context.clock
        self._delay_s = context.settings.chunk_delay_ms / 1000

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Answers by itself; see `Provider.stream`."""
        now = Timestamp(seconds=int(self._clock()))
        pace = _Pace(self._delay_s if ask.streamed else 0, ask.timeout_s)
        match ask.request:
            case ChatCompletionRequest() as chat:
                chat_steps, usage = _chat(ask, chat, now)
                for chat_chunks, last in pace.batches(chat_steps):
                    await pace.pause()
                    yield StreamChatCompletionResponse(chunks=chat_chunks, finishing=last, usage=usage if last else None)
            case TextCompletionRequest() as text:
                text_steps, usage = _text(ask, text, now)
                for text_chunks, last in pace.batches(text_steps):
                    await pace.pause()
                    yield StreamTextCompletionResponse(chunks=text_chunks, finishing=last, usage=usage if last else None)
            case EmbeddingRequest() as embedding:
                yield CreateEmbeddingsResponse(embeddings=_embeddings(ask, embedding))
            case ImageRequest() as image:
                yield CreateImagesResponse(images=_images(image, now))


class _Pace:
    """How fast a stream goes: everything in few batches, or one step at a time with pauses between them."""

    def __init__(self, delay_s: float, timeout_s: float | None) -> None:
        self._delay_s = delay_s
        self._left_s = timeout_s
        self._begun = False

    def batches(self, steps: Sequence[Sequence[C]]) -> Iterator[tuple[list[C], bool]]:
        """The chunks of each batch, and whether it is the last one."""
        size = 1 if self._delay_s else _MOST_STEPS
        for first in range(0, len(steps), size):
            yield [chunk for step in steps[first : first + size] for chunk in step], first + size >= len(steps)

    async def pause(self) -> None:
        """Waits before every batch but the first.

        Raises:
            ProviderError: TIMEOUT when the pauses together take longer than the answer may.
        """
        if not self._begun or not self._delay_s:
            self._begun = True
            return
        if self._left_s is not None:
            if self._left_s < self._delay_s:
                await asyncio.sleep(self._left_s)
                raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.")
            self._left_s -= self._delay_s
        await asyncio.sleep(self._delay_s)


def _chat(ask: Ask, request: ChatCompletionRequest, now: Timestamp) -> tuple[list[list[ChatCompletionChunk]], Usage]:
    """The chunks step by step, the last step with all that finishes, and the usage."""
    reply = chat_reply(request)
    count = _count(request.n)
    _refuse_more(reply.token_count * count if ask.streamed else count, _MOST_PIECES, "pieces")
    _refuse_more(sum(map(len, reply.words)) * count, _MOST_CHARACTERS, "characters")
    input_tokens = sum(len(words_of(text_of(message))) for message in request.messages)
    usage = _usage(input_tokens, reply.token_count * count)
    identity = f"chatcmpl-{_digest(ask, request)}"

    def chunk(choices: Iterable[ChatChunkChoice], usage: Usage | None = None, extra_json: str = "") -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=identity, create_time=now, model=ask.model, choices=choices, usage=usage, extra_json=extra_json
        )

    if not ask.streamed:
        return [[chunk([_whole_choice(reply, index) for index in range(count)], usage)]], usage
    steps = [[chunk([choice])] for index in range(count) for choice in _choice_pieces(reply, index)]
    if request.stream_options.include_usage:
        steps[-1].append(chunk([], usage, NO_CHOICES))
    return steps, usage


def _whole_choice(reply: Reply, index: int) -> ChatChunkChoice:
    message = Message(role="assistant")
    if reply.function is None:
        message.content = "".join(reply.words)
    else:
        function = FunctionCall(name=reply.function, arguments="".join(reply.arguments))
        message.tool_calls.append(ToolCall(id=_call_id(index), type="function", function=function))
    return ChatChunkChoice(index=index, delta=message, finish_reason=reply.finish_reason)


def _choice_pieces(reply: Reply, index: int) -> Iterator[ChatChunkChoice]:
    """The role first, then a word or a piece of the arguments at a time, at last the finish reason."""
    yield ChatChunkChoice(index=index, delta=Message(role="assistant", content="" if reply.function is None else None))
    for word in reply.words:
        yield ChatChunkChoice(index=index, delta=Message(content=word))
    if reply.function is not None:
        head = ToolCall(
            index=0, id=_call_id(index), type="function", function=FunctionCall(name=reply.function, arguments="")
        )
        yield ChatChunkChoice(index=index, delta=Message(tool_calls=[head]))
    for piece in reply.arguments:
        call = ToolCall(index=0, function=FunctionCall(arguments=piece))
        yield ChatChunkChoice(index=index, delta=Message(tool_calls=[call]))
    yield ChatChunkChoice(index=index, delta=Message(), finish_reason=reply.finish_reason)


def _call_id(index: int) -> str:
    return f"call_echo_{index}"


def _text(ask: Ask, request: TextCompletionRequest, now: Timestamp) -> tuple[list[list[TextCompletion]], Usage]:
    """As `_chat`: each prompt is its own answer, said twice where the answer is to begin with the prompt."""
    limit = request.max_tokens if request.HasField("max_tokens") else None
    prompts = _texts(request.prompt)
    _refuse_more(len(prompts) * _count(request.n), _MOST_PIECES, "pieces")
    _refuse_more(sum(map(len, prompts)) * _count(request.n), _MOST_CHARACTERS, "characters")
    check_stop(request.stop, sum(map(len, prompts)) * _count(request.n))
    answers = [(prompt, text_reply(prompt, request.stop, limit)) for prompt in prompts for _ in range(_count(request.n))]
    usage = _usage(sum(len(words_of(prompt)) for prompt in prompts), sum(reply.token_count for _, reply in answers))
    _refuse_more(usage.output_tokens if ask.streamed else 0, _MOST_PIECES, "pieces")
    identity = f"cmpl-{_digest(ask, request)}"

    def chunk(choices: Iterable[TextChoice], usage: Usage | None = None, extra_json: str = "") -> TextCompletion:
        return TextCompletion(
            id=identity, create_time=now, model=ask.model, choices=choices, usage=usage, extra_json=extra_json
        )

    if not ask.streamed:
        whole = [
            TextChoice(
                index=index, text=(prompt if request.echo else "") + "".join(reply.words), finish_reason=reply.finish_reason
            )
            for index, (prompt, reply) in enumerate(answers)
        ]
        return [[chunk(whole, usage)]], usage
    steps: list[list[TextCompletion]] = []
    for index, (prompt, reply) in enumerate(answers):
        words = (*(words_of(prompt) if request.echo else ()), *reply.words)
        steps.extend([chunk([TextChoice(index=index, text=word)])] for word in words)
        steps.append([chunk([TextChoice(index=index, text="", finish_reason=reply.finish_reason)])])
    if request.stream_options.include_usage:
        steps[-1].append(chunk([], usage, NO_CHOICES))
    return steps, usage


def _embeddings(ask: Ask, request: EmbeddingRequest) -> EmbeddingList:
    dimensions = request.dimensions if request.HasField("dimensions") else _DIMENSIONS
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise ProviderError(
            Fault.INVALID_REQUEST, f"`dimensions` must be between 1 and {_MOST_DIMENSIONS}.", param="dimensions"
        )
    texts = _texts(request.input)
    _refuse_more(len(texts) * dimensions, _MOST_NUMBERS, "numbers")
    in_base64 = request.encoding_format == "base64"
    data = [embedding(index, vector(text, dimensions), in_base64) for index, text in enumerate(texts)]
    tokens = sum(len(words_of(text)) for text in texts)
    return EmbeddingList(data=data, model=ask.model, usage=Usage(input_tokens=tokens, total_tokens=tokens))


def _images(request: ImageRequest, now: Timestamp) -> ImageList:
    images = []
    for number in range(_count(request.n)):
        encoded = base64.b64encode(png(f"{number}:{request.prompt}")).decode()
        if request.response_format == "url":
            images.append(Image(url=f"data:image/png;base64,{encoded}"))
        else:
            images.append(Image(b64_json=encoded))
    tokens = len(words_of(request.prompt))
    usage = ImageUsage(input_tokens=tokens, output_tokens=0, total_tokens=tokens)
    return ImageList(create_time=now, data=images, usage=usage)


def _texts(given: TextInput) -> list[str]:
    """The texts; token ids stand for themselves, written as numbers."""
    match given.WhichOneof("form"):
        case "texts":
            return list(given.texts.values)
        case "tokens":
            return [" ".join(map(str, given.tokens.values))]
        case "token_lists":
            return [" ".join(map(str, tokens.values)) for tokens in given.token_lists.values]
    return [given.text]


def _refuse_more(size: int, most: int, of_what: str) -> None:
    """Refuses a request whose answer would be too large to be made at once."""
    if size > most:
        raise ProviderError(Fault.INVALID_REQUEST, f"The answer would have {size} {of_what}; the echo makes {most} at most.")


def _count(asked: int) -> int:
    return min(max(asked, 1), _MOST_CHOICES)


def _usage(input_tokens: int, output_tokens: int) -> Usage:
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens)


def _digest(ask: Ask, request: ChatCompletionRequest | TextCompletionRequest) -> str:
    """What the answer is named by: the same for the same request."""
    said = request.SerializeToString(deterministic=True)
    return hashlib.sha256(ask.model.encode() + b"\0" + said).hexdigest()[:24]
