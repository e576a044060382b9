import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from trunkline.v1 import models_service_pb2 as _models_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CompletionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPLETION_STATUS_UNSPECIFIED: _ClassVar[CompletionStatus]
    COMPLETION_STATUS_RUNNING: _ClassVar[CompletionStatus]
    COMPLETION_STATUS_COMPLETED: _ClassVar[CompletionStatus]
    COMPLETION_STATUS_FAILED: _ClassVar[CompletionStatus]
    COMPLETION_STATUS_CANCELLED: _ClassVar[CompletionStatus]
    COMPLETION_STATUS_INCOMPLETE: _ClassVar[CompletionStatus]

class CostBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COST_BASIS_UNSPECIFIED: _ClassVar[CostBasis]
    COST_BASIS_EXACT: _ClassVar[CostBasis]
    COST_BASIS_ESTIMATED: _ClassVar[CostBasis]
    COST_BASIS_UNKNOWN: _ClassVar[CostBasis]
COMPLETION_STATUS_UNSPECIFIED: CompletionStatus
COMPLETION_STATUS_RUNNING: CompletionStatus
COMPLETION_STATUS_COMPLETED: CompletionStatus
COMPLETION_STATUS_FAILED: CompletionStatus
COMPLETION_STATUS_CANCELLED: CompletionStatus
COMPLETION_STATUS_INCOMPLETE: CompletionStatus
COST_BASIS_UNSPECIFIED: CostBasis
COST_BASIS_EXACT: CostBasis
COST_BASIS_ESTIMATED: CostBasis
COST_BASIS_UNKNOWN: CostBasis

class CompletionRecord(_message.Message):
    __slots__ = ("name", "request_id", "tenant", "user", "api_key", "operation", "model", "streamed", "origin", "message_count", "parameters", "begin_time", "first_chunk_time", "end_time", "time_to_first_token", "time_to_last_token", "status", "error_reason", "finish_reason", "provider", "provider_model", "attempts", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "tokens_per_second", "performance_score", "cost_usd_micros", "cost_basis", "request_body", "answer_body")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STREAMED_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRST_CHUNK_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_LAST_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    PERFORMANCE_SCORE_FIELD_NUMBER: _ClassVar[int]
    COST_USD_MICROS_FIELD_NUMBER: _ClassVar[int]
    COST_BASIS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BODY_FIELD_NUMBER: _ClassVar[int]
    ANSWER_BODY_FIELD_NUMBER: _ClassVar[int]
    name: str
    request_id: str
    tenant: str
    user: str
    api_key: str
    operation: _models_service_pb2.Operation
    model: str
    streamed: bool
    origin: str
    message_count: int
    parameters: _struct_pb2.Struct
    begin_time: _timestamp_pb2.Timestamp
    first_chunk_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    time_to_first_token: _duration_pb2.Duration
    time_to_last_token: _duration_pb2.Duration
    status: CompletionStatus
    error_reason: str
    finish_reason: str
    provider: str
    provider_model: str
    attempts: _containers.RepeatedCompositeFieldContainer[CompletionAttempt]
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int
    tokens_per_second: float
    performance_score: float
    cost_usd_micros: int
    cost_basis: CostBasis
    request_body: str
    answer_body: str
    def __init__(self, name: _Optional[str] = ..., request_id: _Optional[str] = ..., tenant: _Optional[str] = ..., user: _Optional[str] = ..., api_key: _Optional[str] = ..., operation: _Optional[_Union[_models_service_pb2.Operation, str]] = ..., model: _Optional[str] = ..., streamed: _Optional[bool] = ..., origin: _Optional[str] = ..., message_count: _Optional[int] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., begin_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_chunk_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_to_first_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_to_last_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., status: _Optional[_Union[CompletionStatus, str]] = ..., error_reason: _Optional[str] = ..., finish_reason: _Optional[str] = ..., provider: _Optional[str] = ..., provider_model: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[CompletionAttempt, _Mapping]]] = ..., input_tokens: _Optional[int] = ..., cached_input_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ..., tokens_per_second: _Optional[float] = ..., performance_score: _Optional[float] = ..., cost_usd_micros: _Optional[int] = ..., cost_basis: _Optional[_Union[CostBasis, str]] = ..., request_body: _Optional[str] = ..., answer_body: _Optional[str] = ...) -> None: ...

class CompletionAttempt(_message.Message):
    __slots__ = ("provider", "model", "error_type", "http_status", "latency")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    HTTP_STATUS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    provider: str
    model: str
    error_type: str
    http_status: int
    latency: _duration_pb2.Duration
    def __init__(self, provider: _Optional[str] = ..., model: _Optional[str] = ..., error_type: _Optional[str] = ..., http_status: _Optional[int] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
