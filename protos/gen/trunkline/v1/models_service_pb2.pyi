import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProviderStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVIDER_STATUS_UNSPECIFIED: _ClassVar[ProviderStatus]
    PROVIDER_STATUS_HEALTHY: _ClassVar[ProviderStatus]
    PROVIDER_STATUS_DEGRADED: _ClassVar[ProviderStatus]
    PROVIDER_STATUS_UNHEALTHY: _ClassVar[ProviderStatus]
    PROVIDER_STATUS_DISABLED: _ClassVar[ProviderStatus]

class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_UNSPECIFIED: _ClassVar[Operation]
    OPERATION_CHAT: _ClassVar[Operation]
    OPERATION_TEXT: _ClassVar[Operation]
    OPERATION_EMBEDDINGS: _ClassVar[Operation]
    OPERATION_IMAGES: _ClassVar[Operation]
    OPERATION_VIDEOS: _ClassVar[Operation]
PROVIDER_STATUS_UNSPECIFIED: ProviderStatus
PROVIDER_STATUS_HEALTHY: ProviderStatus
PROVIDER_STATUS_DEGRADED: ProviderStatus
PROVIDER_STATUS_UNHEALTHY: ProviderStatus
PROVIDER_STATUS_DISABLED: ProviderStatus
OPERATION_UNSPECIFIED: Operation
OPERATION_CHAT: Operation
OPERATION_TEXT: Operation
OPERATION_EMBEDDINGS: Operation
OPERATION_IMAGES: Operation
OPERATION_VIDEOS: Operation

class Model(_message.Message):
    __slots__ = ("name", "id", "create_time", "owned_by", "provider", "provider_type", "status", "enabled", "forced", "provider_model", "alias_of", "capabilities", "context_window", "max_output_tokens", "input_usd_micros_per_million_tokens", "output_usd_micros_per_million_tokens")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    OWNED_BY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    ALIAS_OF_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    INPUT_USD_MICROS_PER_MILLION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_USD_MICROS_PER_MILLION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    name: str
    id: str
    create_time: _timestamp_pb2.Timestamp
    owned_by: str
    provider: str
    provider_type: str
    status: ProviderStatus
    enabled: bool
    forced: bool
    provider_model: str
    alias_of: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    context_window: int
    max_output_tokens: int
    input_usd_micros_per_million_tokens: int
    output_usd_micros_per_million_tokens: int
    def __init__(self, name: _Optional[str] = ..., id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owned_by: _Optional[str] = ..., provider: _Optional[str] = ..., provider_type: _Optional[str] = ..., status: _Optional[_Union[ProviderStatus, str]] = ..., enabled: _Optional[bool] = ..., forced: _Optional[bool] = ..., provider_model: _Optional[str] = ..., alias_of: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., context_window: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., input_usd_micros_per_million_tokens: _Optional[int] = ..., output_usd_micros_per_million_tokens: _Optional[int] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class ListProviderModelsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProviderModelsResponse(_message.Message):
    __slots__ = ("models", "next_page_token", "list")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    next_page_token: str
    list: ModelList
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., list: _Optional[_Union[ModelList, _Mapping]] = ...) -> None: ...

class ModelList(_message.Message):
    __slots__ = ("provider", "total_size", "cached", "refresh_time", "refresh_error")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TIME_FIELD_NUMBER: _ClassVar[int]
    REFRESH_ERROR_FIELD_NUMBER: _ClassVar[int]
    provider: str
    total_size: int
    cached: bool
    refresh_time: _timestamp_pb2.Timestamp
    refresh_error: str
    def __init__(self, provider: _Optional[str] = ..., total_size: _Optional[int] = ..., cached: _Optional[bool] = ..., refresh_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refresh_error: _Optional[str] = ...) -> None: ...

class GetProviderModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetProviderModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: Model
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class RefreshProviderModelsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RefreshProviderModelsResponse(_message.Message):
    __slots__ = ("models", "list")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    list: ModelList
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., list: _Optional[_Union[ModelList, _Mapping]] = ...) -> None: ...

class ModelSelection(_message.Message):
    __slots__ = ("name", "selected_model", "editable", "priority", "max_tokens", "temperature", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SELECTED_MODEL_FIELD_NUMBER: _ClassVar[int]
    EDITABLE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    selected_model: str
    editable: bool
    priority: int
    max_tokens: int
    temperature: float
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., selected_model: _Optional[str] = ..., editable: _Optional[bool] = ..., priority: _Optional[int] = ..., max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetModelSelectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetModelSelectionResponse(_message.Message):
    __slots__ = ("model_selection",)
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ...) -> None: ...

class UpdateModelSelectionRequest(_message.Message):
    __slots__ = ("model_selection", "update_mask")
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateModelSelectionResponse(_message.Message):
    __slots__ = ("model_selection",)
    MODEL_SELECTION_FIELD_NUMBER: _ClassVar[int]
    model_selection: ModelSelection
    def __init__(self, model_selection: _Optional[_Union[ModelSelection, _Mapping]] = ...) -> None: ...

class DeleteModelSelectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteModelSelectionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExplainRouteRequest(_message.Message):
    __slots__ = ("model", "operation")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    operation: Operation
    def __init__(self, model: _Optional[str] = ..., operation: _Optional[_Union[Operation, str]] = ...) -> None: ...

class ExplainRouteResponse(_message.Message):
    __slots__ = ("model", "resolved_model", "strategy", "steps")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_MODEL_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    model: str
    resolved_model: str
    strategy: str
    steps: _containers.RepeatedCompositeFieldContainer[RouteStep]
    def __init__(self, model: _Optional[str] = ..., resolved_model: _Optional[str] = ..., strategy: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[RouteStep, _Mapping]]] = ...) -> None: ...

class RouteStep(_message.Message):
    __slots__ = ("provider", "provider_type", "model", "place", "purpose", "reason", "retry_delay", "requests_in_flight", "concurrency_limit", "time_to_first_chunk", "failure_share")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_CHUNK_FIELD_NUMBER: _ClassVar[int]
    FAILURE_SHARE_FIELD_NUMBER: _ClassVar[int]
    provider: str
    provider_type: str
    model: str
    place: int
    purpose: str
    reason: str
    retry_delay: _duration_pb2.Duration
    requests_in_flight: int
    concurrency_limit: int
    time_to_first_chunk: _duration_pb2.Duration
    failure_share: float
    def __init__(self, provider: _Optional[str] = ..., provider_type: _Optional[str] = ..., model: _Optional[str] = ..., place: _Optional[int] = ..., purpose: _Optional[str] = ..., reason: _Optional[str] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., requests_in_flight: _Optional[int] = ..., concurrency_limit: _Optional[int] = ..., time_to_first_chunk: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., failure_share: _Optional[float] = ...) -> None: ...
