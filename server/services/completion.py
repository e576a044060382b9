"""CompletionService: checks the request and hands it to the dispatcher."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from server.call import Call
from server.dispatch.fold import fold_chat, fold_text
from server.policies.idempotency import Idempotency
from server.policies.idempotency_key import KEY
from server.providers.base import Ask, Batch, Operation
from server.runtime import Runtime
from server.services.requests import check_chat, check_embedding, check_image, check_text, check_video
from trunkline.v1.completion_service_pb2 import (
    ANSWER_FORMAT_JSON,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    CreateEmbeddingsRequest,
    CreateEmbeddingsResponse,
    CreateImagesRequest,
    CreateImagesResponse,
    CreateTextCompletionRequest,
    CreateTextCompletionResponse,
    CreateVideosRequest,
    CreateVideosResponse,
    StreamChatCompletionRequest,
    StreamChatCompletionResponse,
    StreamTextCompletionRequest,
    StreamTextCompletionResponse,
)


class CompletionService:
    """Implements the contract's CompletionService.

    Args:
        runtime: gives the configuration in force.
        idempotency: answers the requests that have a key.
    """

    def __init__(self, runtime: Callable[[], Runtime], idempotency: Idempotency) -> None:
        self._runtime = runtime
        self._idempotency = idempotency

    async def CreateChatCompletion(self, request: CreateChatCompletionRequest, call: Call) -> CreateChatCompletionResponse:
        """Answers a conversation."""
        chat = request.chat
        check_chat(chat)
        as_json = request.answer_format == ANSWER_FORMAT_JSON
        ask = Ask(Operation.CHAT, chat, chat.model, streamed=False, as_json=as_json, request_id=call.request_id)
        batch = cast(StreamChatCompletionResponse, await self._only(ask, call))
        if batch.chunks_json:
            return CreateChatCompletionResponse(completion_json=batch.chunks_json[0])
        return CreateChatCompletionResponse(completion=fold_chat(batch.chunks))

    def StreamChatCompletion(self, request: StreamChatCompletionRequest, call: Call) -> AsyncGenerator[Batch, None]:
        """Answers a conversation piece by piece."""
        chat = request.chat
        check_chat(chat)
        as_json = request.answer_format == ANSWER_FORMAT_JSON
        ask = Ask(Operation.CHAT, chat, chat.model, streamed=True, as_json=as_json, request_id=call.request_id)
        return self._stream(ask, call)

    async def CreateTextCompletion(self, request: CreateTextCompletionRequest, call: Call) -> CreateTextCompletionResponse:
        """Continues a text."""
        check_text(request.text)
        ask = Ask(Operation.TEXT, request.text, request.text.model, streamed=False, request_id=call.request_id)
        batch = cast(StreamTextCompletionResponse, await self._only(ask, call))
        return CreateTextCompletionResponse(completion=fold_text(batch.chunks))

    def StreamTextCompletion(self, request: StreamTextCompletionRequest, call: Call) -> AsyncGenerator[Batch, None]:
        """Continues a text piece by piece."""
        check_text(request.text)
        ask = Ask(Operation.TEXT, request.text, request.text.model, streamed=True, request_id=call.request_id)
        return self._stream(ask, call)

    async def CreateEmbeddings(self, request: CreateEmbeddingsRequest, call: Call) -> CreateEmbeddingsResponse:
        """Turns texts into vectors."""
        check_embedding(request.embedding)
        model = request.embedding.model
        ask = Ask(Operation.EMBEDDINGS, request.embedding, model, streamed=False, request_id=call.request_id)
        return cast(CreateEmbeddingsResponse, await self._only(ask, call))

    async def CreateImages(self, request: CreateImagesRequest, call: Call) -> CreateImagesResponse:
        """Draws images."""
        check_image(request.image)
        ask = Ask(Operation.IMAGES, request.image, request.image.model, streamed=False, request_id=call.request_id)
        return cast(CreateImagesResponse, await self._only(ask, call))

    async def CreateVideos(self, request: CreateVideosRequest, call: Call) -> CreateVideosResponse:
        """Films videos."""
        check_video(request.video)
        ask = Ask(Operation.VIDEOS, request.video, request.video.model, streamed=False, request_id=call.request_id)
        return cast(CreateVideosResponse, await self._only(ask, call))

    def _stream(self, ask: Ask, call: Call) -> AsyncGenerator[Batch, None]:
        dispatch = self._runtime().dispatcher.stream
        return self._idempotency.stream(ask, call, dispatch) if KEY in call.metadata else dispatch(ask, call)

    async def _only(self, ask: Ask, call: Call) -> Batch:
        """The one batch that an operation without a stream answers with."""
        dispatcher = self._runtime().dispatcher
        if KEY not in call.metadata:
            return await dispatcher.answer(ask, call)
        async with aclosing(self._idempotency.stream(ask, call, dispatcher.stream)) as batches:
            answers = [batch async for batch in batches]
        return answers[0]
