"""Completions: chat, text, embeddings, images and videos.

Every method takes what to ask for, or the RPC's own request with that inside, which is sent as it stands: no copy is made.
"""

import grpc

from trunkline.v1.chat_pb2 import ChatCompletion, ChatCompletionRequest
from trunkline.v1.completion_service_pb2 import (
    AnswerFormat,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    CreateEmbeddingsRequest,
    CreateImagesRequest,
    CreateTextCompletionRequest,
    CreateVideosRequest,
    StreamChatCompletionRequest,
    StreamTextCompletionRequest,
)
from trunkline.v1.completion_service_pb2_grpc import CompletionServiceStub
from trunkline.v1.text_pb2 import (
    EmbeddingList,
    EmbeddingRequest,
    ImageList,
    ImageRequest,
    TextCompletion,
    TextCompletionRequest,
    VideoList,
    VideoRequest,
)
from trunkline_client.calls import Answer, CallDefaults, Metadata, ask, ask_sync, begin
from trunkline_client.streams import ChatStream, SyncChatStream, SyncTextStream, TextStream


class AsyncCompletions:
    """Asks for completions.

    >>> from trunkline_client import AsyncClient
    >>> from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
    >>> client = AsyncClient("127.0.0.1:50051", api_key="a key")
    >>> request = ChatCompletionRequest(model="echo", messages=[Message(role="user", content="Hello there")])

    A whole answer, and what the gateway told of it:

    >>> answer = await client.completions.create_chat_completion(request)
    >>> answer.value.choices[0].message.content
    'Hello there'
    >>> answer.provider, answer.attempts
    ('echo', 1)

    The same as a stream:

    >>> async with client.completions.stream_chat_completion(request) as stream:
    ...     async for chunk in stream.chunks():
    ...         print(chunk.choices[0].delta.content)
    Hello
     there
    >>> stream.provider
    'echo'

    What goes wrong is a `TrunklineError`:

    >>> from trunkline_client import NotFoundError
    >>> try:
    ...     await client.completions.create_chat_completion(ChatCompletionRequest(model="nobody"))
    ... except NotFoundError as error:
    ...     print(error.reason, error.metadata["model"])
    model_not_found nobody
    >>> await client.close()
    """

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        self._stub = CompletionServiceStub(channel)
        self._defaults = defaults

    async def create_chat_completion(
        self,
        request: ChatCompletionRequest | CreateChatCompletionRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[ChatCompletion]:
        """Answers a conversation.

        Args:
            request: what to complete.
            timeout_s: from now to the call's deadline. None: the client's.
            metadata: sent along, in addition to the client's; a key in it takes the place of the client's.

        Raises:
            TrunklineError: the call failed.
            ValueError: the request asks for ANSWER_FORMAT_JSON.
        """
        sent = _chat_request(request)
        response, told = await ask(self._stub.CreateChatCompletion, sent, self._defaults, timeout_s, metadata)
        return Answer(response.completion, told)

    async def create_chat_completion_response(
        self, request: CreateChatCompletionRequest, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Answer[CreateChatCompletionResponse]:
        """Answers a conversation with the RPC's own response, for callers that ask for ANSWER_FORMAT_JSON.

        Raises:
            TrunklineError: the call failed.
        """
        return Answer(*await ask(self._stub.CreateChatCompletion, request, self._defaults, timeout_s, metadata))

    def stream_chat_completion(
        self,
        request: ChatCompletionRequest | StreamChatCompletionRequest,
        *,
        answer_format: AnswerFormat | None = None,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> ChatStream:
        """Answers a conversation piece by piece. The call begins at once; it fails where the stream is read.

        Args:
            request: what to complete.
            answer_format: how the chunks are written. None: as messages, or as a StreamChatCompletionRequest says.
            timeout_s: from now to the call's deadline. None: the client's.
            metadata: as for `create_chat_completion`.

        Raises:
            UnavailableError: the client was closed.
        """
        sent = _stream_request(request, answer_format)
        return ChatStream(begin(self._stub.StreamChatCompletion, sent, self._defaults, timeout_s, metadata))

    async def create_text_completion(
        self,
        request: TextCompletionRequest | CreateTextCompletionRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[TextCompletion]:
        """Continues a text. As `create_chat_completion`."""
        if isinstance(request, TextCompletionRequest):
            request = CreateTextCompletionRequest(text=request)
        response, told = await ask(self._stub.CreateTextCompletion, request, self._defaults, timeout_s, metadata)
        return Answer(response.completion, told)

    def stream_text_completion(
        self,
        request: TextCompletionRequest | StreamTextCompletionRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> TextStream:
        """Continues a text piece by piece. As `stream_chat_completion`."""
        if isinstance(request, TextCompletionRequest):
            request = StreamTextCompletionRequest(text=request)
        return TextStream(begin(self._stub.StreamTextCompletion, request, self._defaults, timeout_s, metadata))

    async def create_embeddings(
        self,
        request: EmbeddingRequest | CreateEmbeddingsRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[EmbeddingList]:
        """Turns texts into vectors. As `create_chat_completion`."""
        if isinstance(request, EmbeddingRequest):
            request = CreateEmbeddingsRequest(embedding=request)
        response, told = await ask(self._stub.CreateEmbeddings, request, self._defaults, timeout_s, metadata)
        return Answer(response.embeddings, told)

    async def create_images(
        self,
        request: ImageRequest | CreateImagesRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[ImageList]:
        """Draws images from a text. As `create_chat_completion`."""
        if isinstance(request, ImageRequest):
            request = CreateImagesRequest(image=request)
        response, told = await ask(self._stub.CreateImages, request, self._defaults, timeout_s, metadata)
        return Answer(response.images, told)

    async def create_videos(
        self,
        request: VideoRequest | CreateVideosRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[VideoList]:
        """Films videos from a text. As `create_chat_completion`."""
        if isinstance(request, VideoRequest):
            request = CreateVideosRequest(video=request)
        response, told = await ask(self._stub.CreateVideos, request, self._defaults, timeout_s, metadata)
        return Answer(response.videos, told)


class Completions:
    """Asks for completions, from threads. Its methods are those of `AsyncCompletions`.

    >>> from trunkline_client import Client
    >>> from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
    >>> request = ChatCompletionRequest(model="echo", messages=[Message(role="user", content="Hello there")])
    >>> with Client("127.0.0.1:50051") as client:
    ...     answer = client.completions.create_chat_completion(request)
    ...     with client.completions.stream_chat_completion(request) as stream:
    ...         pieces = [chunk.choices[0].delta.content for chunk in stream.chunks()]
    >>> answer.value.choices[0].message.content
    'Hello there'
    >>> pieces
    ['Hello', ' there']
    """

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        self._stub = CompletionServiceStub(channel)
        self._defaults = defaults

    def create_chat_completion(
        self,
        request: ChatCompletionRequest | CreateChatCompletionRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[ChatCompletion]:
        """Answers a conversation."""
        sent = _chat_request(request)
        response, told = ask_sync(self._stub.CreateChatCompletion, sent, self._defaults, timeout_s, metadata)
        return Answer(response.completion, told)

    def stream_chat_completion(
        self,
        request: ChatCompletionRequest | StreamChatCompletionRequest,
        *,
        answer_format: AnswerFormat | None = None,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> SyncChatStream:
        """Answers a conversation piece by piece."""
        sent = _stream_request(request, answer_format)
        return SyncChatStream(begin(self._stub.StreamChatCompletion, sent, self._defaults, timeout_s, metadata))

    def create_text_completion(
        self,
        request: TextCompletionRequest | CreateTextCompletionRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[TextCompletion]:
        """Continues a text."""
        if isinstance(request, TextCompletionRequest):
            request = CreateTextCompletionRequest(text=request)
        response, told = ask_sync(self._stub.CreateTextCompletion, request, self._defaults, timeout_s, metadata)
        return Answer(response.completion, told)

    def stream_text_completion(
        self,
        request: TextCompletionRequest | StreamTextCompletionRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> SyncTextStream:
        """Continues a text piece by piece."""
        if isinstance(request, TextCompletionRequest):
            request = StreamTextCompletionRequest(text=request)
        return SyncTextStream(begin(self._stub.StreamTextCompletion, request, self._defaults, timeout_s, metadata))

    def create_embeddings(
        self,
        request: EmbeddingRequest | CreateEmbeddingsRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[EmbeddingList]:
        """Turns texts into vectors."""
        if isinstance(request, EmbeddingRequest):
            request = CreateEmbeddingsRequest(embedding=request)
        response, told = ask_sync(self._stub.CreateEmbeddings, request, self._defaults, timeout_s, metadata)
        return Answer(response.embeddings, told)

    def create_images(
        self,
        request: ImageRequest | CreateImagesRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[ImageList]:
        """Draws images from a text."""
        if isinstance(request, ImageRequest):
            request = CreateImagesRequest(image=request)
        response, told = ask_sync(self._stub.CreateImages, request, self._defaults, timeout_s, metadata)
        return Answer(response.images, told)

    def create_videos(
        self,
        request: VideoRequest | CreateVideosRequest,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Answer[VideoList]:
        """Films videos from a text."""
        if isinstance(request, VideoRequest):
            request = CreateVideosRequest(video=request)
        response, told = ask_sync(self._stub.CreateVideos, request, self._defaults, timeout_s, metadata)
        return Answer(response.videos, told)


def _chat_request(request: ChatCompletionRequest | CreateChatCompletionRequest) -> CreateChatCompletionRequest:
    if isinstance(request, ChatCompletionRequest):
        return CreateChatCompletionRequest(chat=request)
    if request.answer_format == AnswerFormat.ANSWER_FORMAT_JSON:
        raise ValueError("the answer would be a JSON text; AsyncClient's create_chat_completion_response gives that")
    return request


def _stream_request(
    request: ChatCompletionRequest | StreamChatCompletionRequest, answer_format: AnswerFormat | None
) -> StreamChatCompletionRequest:
    if isinstance(request, ChatCompletionRequest):
        return StreamChatCompletionRequest(chat=request, answer_format=answer_format)
    if answer_format is not None and answer_format != request.answer_format:
        raise ValueError("the request says another answer_format itself")
    return request
