from trunkline.v1 import chat_pb2 as _chat_pb2
from trunkline.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnswerFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_FORMAT_UNSPECIFIED: _ClassVar[AnswerFormat]
    ANSWER_FORMAT_TYPED: _ClassVar[AnswerFormat]
    ANSWER_FORMAT_JSON: _ClassVar[AnswerFormat]
ANSWER_FORMAT_UNSPECIFIED: AnswerFormat
ANSWER_FORMAT_TYPED: AnswerFormat
ANSWER_FORMAT_JSON: AnswerFormat

class CreateChatCompletionRequest(_message.Message):
    __slots__ = ("chat", "answer_format")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FORMAT_FIELD_NUMBER: _ClassVar[int]
    chat: _chat_pb2.ChatCompletionRequest
    answer_format: AnswerFormat
    def __init__(self, chat: _Optional[_Union[_chat_pb2.ChatCompletionRequest, _Mapping]] = ..., answer_format: _Optional[_Union[AnswerFormat, str]] = ...) -> None: ...

class CreateChatCompletionResponse(_message.Message):
    __slots__ = ("completion", "completion_json")
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_JSON_FIELD_NUMBER: _ClassVar[int]
    completion: _chat_pb2.ChatCompletion
    completion_json: bytes
    def __init__(self, completion: _Optional[_Union[_chat_pb2.ChatCompletion, _Mapping]] = ..., completion_json: _Optional[bytes] = ...) -> None: ...

class StreamChatCompletionRequest(_message.Message):
    __slots__ = ("chat", "answer_format")
    CHAT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FORMAT_FIELD_NUMBER: _ClassVar[int]
    chat: _chat_pb2.ChatCompletionRequest
    answer_format: AnswerFormat
    def __init__(self, chat: _Optional[_Union[_chat_pb2.ChatCompletionRequest, _Mapping]] = ..., answer_format: _Optional[_Union[AnswerFormat, str]] = ...) -> None: ...

class StreamChatCompletionResponse(_message.Message):
    __slots__ = ("chunks", "chunks_json", "finishing", "usage", "last")
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_JSON_FIELD_NUMBER: _ClassVar[int]
    FINISHING_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    chunks: _containers.RepeatedCompositeFieldContainer[_chat_pb2.ChatCompletionChunk]
    chunks_json: _containers.RepeatedScalarFieldContainer[bytes]
    finishing: bool
    usage: _chat_pb2.Usage
    last: bool
    def __init__(self, chunks: _Optional[_Iterable[_Union[_chat_pb2.ChatCompletionChunk, _Mapping]]] = ..., chunks_json: _Optional[_Iterable[bytes]] = ..., finishing: _Optional[bool] = ..., usage: _Optional[_Union[_chat_pb2.Usage, _Mapping]] = ..., last: _Optional[bool] = ...) -> None: ...

class CreateTextCompletionRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: _text_pb2.TextCompletionRequest
    def __init__(self, text: _Optional[_Union[_text_pb2.TextCompletionRequest, _Mapping]] = ...) -> None: ...

class CreateTextCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _text_pb2.TextCompletion
    def __init__(self, completion: _Optional[_Union[_text_pb2.TextCompletion, _Mapping]] = ...) -> None: ...

class StreamTextCompletionRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: _text_pb2.TextCompletionRequest
    def __init__(self, text: _Optional[_Union[_text_pb2.TextCompletionRequest, _Mapping]] = ...) -> None: ...

class StreamTextCompletionResponse(_message.Message):
    __slots__ = ("chunks", "finishing", "usage", "last")
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    FINISHING_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    chunks: _containers.RepeatedCompositeFieldContainer[_text_pb2.TextCompletion]
    finishing: bool
    usage: _chat_pb2.Usage
    last: bool
    def __init__(self, chunks: _Optional[_Iterable[_Union[_text_pb2.TextCompletion, _Mapping]]] = ..., finishing: _Optional[bool] = ..., usage: _Optional[_Union[_chat_pb2.Usage, _Mapping]] = ..., last: _Optional[bool] = ...) -> None: ...

class CreateEmbeddingsRequest(_message.Message):
    __slots__ = ("embedding",)
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    embedding: _text_pb2.EmbeddingRequest
    def __init__(self, embedding: _Optional[_Union[_text_pb2.EmbeddingRequest, _Mapping]] = ...) -> None: ...

class CreateEmbeddingsResponse(_message.Message):
    __slots__ = ("embeddings",)
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    embeddings: _text_pb2.EmbeddingList
    def __init__(self, embeddings: _Optional[_Union[_text_pb2.EmbeddingList, _Mapping]] = ...) -> None: ...

class CreateImagesRequest(_message.Message):
    __slots__ = ("image",)
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image: _text_pb2.ImageRequest
    def __init__(self, image: _Optional[_Union[_text_pb2.ImageRequest, _Mapping]] = ...) -> None: ...

class CreateImagesResponse(_message.Message):
    __slots__ = ("images",)
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    images: _text_pb2.ImageList
    def __init__(self, images: _Optional[_Union[_text_pb2.ImageList, _Mapping]] = ...) -> None: ...

class CreateVideosRequest(_message.Message):
    __slots__ = ("video",)
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    video: _text_pb2.VideoRequest
    def __init__(self, video: _Optional[_Union[_text_pb2.VideoRequest, _Mapping]] = ...) -> None: ...

class CreateVideosResponse(_message.Message):
    __slots__ = ("videos",)
    VIDEOS_FIELD_NUMBER: _ClassVar[int]
    videos: _text_pb2.VideoList
    def __init__(self, videos: _Optional[_Union[_text_pb2.VideoList, _Mapping]] = ...) -> None: ...
