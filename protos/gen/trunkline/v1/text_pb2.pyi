import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from trunkline.v1 import chat_pb2 as _chat_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TextCompletionRequest(_message.Message):
    __slots__ = ("model", "prompt", "max_tokens", "temperature", "top_p", "n", "stop", "presence_penalty", "frequency_penalty", "seed", "logit_bias", "logprobs", "echo", "best_of", "suffix", "user", "stream_options", "nulls", "extra_json")
    class LogitBiasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LOGIT_BIAS_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    ECHO_FIELD_NUMBER: _ClassVar[int]
    BEST_OF_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    STREAM_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt: TextInput
    max_tokens: int
    temperature: float
    top_p: float
    n: int
    stop: _chat_pb2.StringOrList
    presence_penalty: float
    frequency_penalty: float
    seed: int
    logit_bias: _containers.ScalarMap[str, float]
    logprobs: int
    echo: bool
    best_of: int
    suffix: str
    user: str
    stream_options: _chat_pb2.StreamOptions
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, model: _Optional[str] = ..., prompt: _Optional[_Union[TextInput, _Mapping]] = ..., max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., n: _Optional[int] = ..., stop: _Optional[_Union[_chat_pb2.StringOrList, _Mapping]] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., seed: _Optional[int] = ..., logit_bias: _Optional[_Mapping[str, float]] = ..., logprobs: _Optional[int] = ..., echo: _Optional[bool] = ..., best_of: _Optional[int] = ..., suffix: _Optional[str] = ..., user: _Optional[str] = ..., stream_options: _Optional[_Union[_chat_pb2.StreamOptions, _Mapping]] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class TextInput(_message.Message):
    __slots__ = ("text", "texts", "tokens", "token_lists")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_LISTS_FIELD_NUMBER: _ClassVar[int]
    text: str
    texts: Strings
    tokens: Tokens
    token_lists: TokenLists
    def __init__(self, text: _Optional[str] = ..., texts: _Optional[_Union[Strings, _Mapping]] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ..., token_lists: _Optional[_Union[TokenLists, _Mapping]] = ...) -> None: ...

class Strings(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class Tokens(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class TokenLists(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Tokens]
    def __init__(self, values: _Optional[_Iterable[_Union[Tokens, _Mapping]]] = ...) -> None: ...

class TextCompletion(_message.Message):
    __slots__ = ("id", "create_time", "model", "choices", "usage", "system_fingerprint", "nulls", "extra_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    create_time: _timestamp_pb2.Timestamp
    model: str
    choices: _containers.RepeatedCompositeFieldContainer[TextChoice]
    usage: _chat_pb2.Usage
    system_fingerprint: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model: _Optional[str] = ..., choices: _Optional[_Iterable[_Union[TextChoice, _Mapping]]] = ..., usage: _Optional[_Union[_chat_pb2.Usage, _Mapping]] = ..., system_fingerprint: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class TextChoice(_message.Message):
    __slots__ = ("index", "text", "finish_reason", "logprobs_json", "nulls", "extra_json")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_JSON_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    index: int
    text: str
    finish_reason: str
    logprobs_json: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, index: _Optional[int] = ..., text: _Optional[str] = ..., finish_reason: _Optional[str] = ..., logprobs_json: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class EmbeddingRequest(_message.Message):
    __slots__ = ("model", "input", "encoding_format", "dimensions", "user", "nulls", "extra_json")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FORMAT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    model: str
    input: TextInput
    encoding_format: str
    dimensions: int
    user: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, model: _Optional[str] = ..., input: _Optional[_Union[TextInput, _Mapping]] = ..., encoding_format: _Optional[str] = ..., dimensions: _Optional[int] = ..., user: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class EmbeddingList(_message.Message):
    __slots__ = ("data", "model", "usage", "nulls", "extra_json")
    DATA_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[Embedding]
    model: str
    usage: _chat_pb2.Usage
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, data: _Optional[_Iterable[_Union[Embedding, _Mapping]]] = ..., model: _Optional[str] = ..., usage: _Optional[_Union[_chat_pb2.Usage, _Mapping]] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class Embedding(_message.Message):
    __slots__ = ("index", "values", "values_base64", "nulls", "extra_json")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    VALUES_BASE64_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    index: int
    values: _containers.RepeatedScalarFieldContainer[float]
    values_base64: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, index: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ..., values_base64: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class ImageRequest(_message.Message):
    __slots__ = ("model", "prompt", "n", "size", "quality", "style", "background", "moderation", "output_format", "output_compression", "response_format", "user", "nulls", "extra_json")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    MODERATION_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt: str
    n: int
    size: str
    quality: str
    style: str
    background: str
    moderation: str
    output_format: str
    output_compression: int
    response_format: str
    user: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, model: _Optional[str] = ..., prompt: _Optional[str] = ..., n: _Optional[int] = ..., size: _Optional[str] = ..., quality: _Optional[str] = ..., style: _Optional[str] = ..., background: _Optional[str] = ..., moderation: _Optional[str] = ..., output_format: _Optional[str] = ..., output_compression: _Optional[int] = ..., response_format: _Optional[str] = ..., user: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class ImageList(_message.Message):
    __slots__ = ("create_time", "data", "usage", "nulls", "extra_json")
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    create_time: _timestamp_pb2.Timestamp
    data: _containers.RepeatedCompositeFieldContainer[Image]
    usage: ImageUsage
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[_Iterable[_Union[Image, _Mapping]]] = ..., usage: _Optional[_Union[ImageUsage, _Mapping]] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("url", "b64_json", "revised_prompt", "nulls", "extra_json")
    URL_FIELD_NUMBER: _ClassVar[int]
    B64_JSON_FIELD_NUMBER: _ClassVar[int]
    REVISED_PROMPT_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    url: str
    b64_json: str
    revised_prompt: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, url: _Optional[str] = ..., b64_json: _Optional[str] = ..., revised_prompt: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class ImageUsage(_message.Message):
    __slots__ = ("input_tokens", "output_tokens", "total_tokens", "nulls", "extra_json")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    output_tokens: int
    total_tokens: int
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class VideoRequest(_message.Message):
    __slots__ = ("model", "prompt", "n", "size", "seconds", "quality", "response_format", "user", "nulls", "extra_json")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FORMAT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt: str
    n: int
    size: str
    seconds: float
    quality: str
    response_format: str
    user: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, model: _Optional[str] = ..., prompt: _Optional[str] = ..., n: _Optional[int] = ..., size: _Optional[str] = ..., seconds: _Optional[float] = ..., quality: _Optional[str] = ..., response_format: _Optional[str] = ..., user: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class VideoList(_message.Message):
    __slots__ = ("create_time", "data", "nulls", "extra_json")
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    create_time: _timestamp_pb2.Timestamp
    data: _containers.RepeatedCompositeFieldContainer[Video]
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[_Iterable[_Union[Video, _Mapping]]] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...

class Video(_message.Message):
    __slots__ = ("url", "b64_json", "revised_prompt", "nulls", "extra_json")
    URL_FIELD_NUMBER: _ClassVar[int]
    B64_JSON_FIELD_NUMBER: _ClassVar[int]
    REVISED_PROMPT_FIELD_NUMBER: _ClassVar[int]
    NULLS_FIELD_NUMBER: _ClassVar[int]
    EXTRA_JSON_FIELD_NUMBER: _ClassVar[int]
    url: str
    b64_json: str
    revised_prompt: str
    nulls: _containers.RepeatedScalarFieldContainer[int]
    extra_json: str
    def __init__(self, url: _Optional[str] = ..., b64_json: _Optional[str] = ..., revised_prompt: _Optional[str] = ..., nulls: _Optional[_Iterable[int]] = ..., extra_json: _Optional[str] = ...) -> None: ...
