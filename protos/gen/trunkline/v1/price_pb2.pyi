import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Price(_message.Message):
    __slots__ = ("name", "provider", "model", "effective_time", "rates", "tiers", "request", "image", "search", "hour", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    HOUR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    model: str
    effective_time: _timestamp_pb2.Timestamp
    rates: PriceRates
    tiers: _containers.RepeatedCompositeFieldContainer[PriceTier]
    request: str
    image: str
    search: str
    hour: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rates: _Optional[_Union[PriceRates, _Mapping]] = ..., tiers: _Optional[_Iterable[_Union[PriceTier, _Mapping]]] = ..., request: _Optional[str] = ..., image: _Optional[str] = ..., search: _Optional[str] = ..., hour: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PriceRates(_message.Message):
    __slots__ = ("input", "cached_input", "cache_write", "cache_write_1h", "input_audio", "cached_audio", "input_image", "cached_image", "output", "reasoning", "output_audio", "output_image", "citation")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_1H_FIELD_NUMBER: _ClassVar[int]
    INPUT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    CACHED_AUDIO_FIELD_NUMBER: _ClassVar[int]
    INPUT_IMAGE_FIELD_NUMBER: _ClassVar[int]
    CACHED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_IMAGE_FIELD_NUMBER: _ClassVar[int]
    CITATION_FIELD_NUMBER: _ClassVar[int]
    input: str
    cached_input: str
    cache_write: str
    cache_write_1h: str
    input_audio: str
    cached_audio: str
    input_image: str
    cached_image: str
    output: str
    reasoning: str
    output_audio: str
    output_image: str
    citation: str
    def __init__(self, input: _Optional[str] = ..., cached_input: _Optional[str] = ..., cache_write: _Optional[str] = ..., cache_write_1h: _Optional[str] = ..., input_audio: _Optional[str] = ..., cached_audio: _Optional[str] = ..., input_image: _Optional[str] = ..., cached_image: _Optional[str] = ..., output: _Optional[str] = ..., reasoning: _Optional[str] = ..., output_audio: _Optional[str] = ..., output_image: _Optional[str] = ..., citation: _Optional[str] = ...) -> None: ...

class PriceTier(_message.Message):
    __slots__ = ("over_input_tokens", "rates")
    OVER_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    over_input_tokens: int
    rates: PriceRates
    def __init__(self, over_input_tokens: _Optional[int] = ..., rates: _Optional[_Union[PriceRates, _Mapping]] = ...) -> None: ...
