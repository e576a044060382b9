import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from trunkline.v1 import completion_record_pb2 as _completion_record_pb2
from trunkline.v1 import models_service_pb2 as _models_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PrometheusFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMETHEUS_FORMAT_UNSPECIFIED: _ClassVar[PrometheusFormat]
    PROMETHEUS_FORMAT_TEXT: _ClassVar[PrometheusFormat]
    PROMETHEUS_FORMAT_OPENMETRICS: _ClassVar[PrometheusFormat]
PROMETHEUS_FORMAT_UNSPECIFIED: PrometheusFormat
PROMETHEUS_FORMAT_TEXT: PrometheusFormat
PROMETHEUS_FORMAT_OPENMETRICS: PrometheusFormat

class ExportPrometheusRequest(_message.Message):
    __slots__ = ("format",)
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    format: PrometheusFormat
    def __init__(self, format: _Optional[_Union[PrometheusFormat, str]] = ...) -> None: ...

class ExportPrometheusResponse(_message.Message):
    __slots__ = ("content_type", "text")
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    content_type: str
    text: str
    def __init__(self, content_type: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ListCompletionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "begin_time", "end_time", "tenant", "user", "api_key", "model", "provider", "status", "operation", "request_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    begin_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    tenant: str
    user: str
    api_key: str
    model: str
    provider: str
    status: _completion_record_pb2.CompletionStatus
    operation: _models_service_pb2.Operation
    request_id: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., begin_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant: _Optional[str] = ..., user: _Optional[str] = ..., api_key: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., status: _Optional[_Union[_completion_record_pb2.CompletionStatus, str]] = ..., operation: _Optional[_Union[_models_service_pb2.Operation, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListCompletionsResponse(_message.Message):
    __slots__ = ("completion_records", "next_page_token")
    COMPLETION_RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    completion_records: _containers.RepeatedCompositeFieldContainer[_completion_record_pb2.CompletionRecord]
    next_page_token: str
    def __init__(self, completion_records: _Optional[_Iterable[_Union[_completion_record_pb2.CompletionRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCompletionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCompletionResponse(_message.Message):
    __slots__ = ("completion_record",)
    COMPLETION_RECORD_FIELD_NUMBER: _ClassVar[int]
    completion_record: _completion_record_pb2.CompletionRecord
    def __init__(self, completion_record: _Optional[_Union[_completion_record_pb2.CompletionRecord, _Mapping]] = ...) -> None: ...

class GetHealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHealthResponse(_message.Message):
    __slots__ = ("health",)
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    health: Health
    def __init__(self, health: _Optional[_Union[Health, _Mapping]] = ...) -> None: ...

class Health(_message.Message):
    __slots__ = ("status", "version", "current_time", "uptime", "providers")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CURRENT_TIME_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    status: str
    version: str
    current_time: _timestamp_pb2.Timestamp
    uptime: _duration_pb2.Duration
    providers: ProviderCounts
    def __init__(self, status: _Optional[str] = ..., version: _Optional[str] = ..., current_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., uptime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., providers: _Optional[_Union[ProviderCounts, _Mapping]] = ...) -> None: ...

class ProviderCounts(_message.Message):
    __slots__ = ("total", "healthy", "degraded", "unhealthy", "disabled")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    UNHEALTHY_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    total: int
    healthy: int
    degraded: int
    unhealthy: int
    disabled: int
    def __init__(self, total: _Optional[int] = ..., healthy: _Optional[int] = ..., degraded: _Optional[int] = ..., unhealthy: _Optional[int] = ..., disabled: _Optional[int] = ...) -> None: ...

class ListProvidersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "type")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    type: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class ListProvidersResponse(_message.Message):
    __slots__ = ("providers", "next_page_token")
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedCompositeFieldContainer[Provider]
    next_page_token: str
    def __init__(self, providers: _Optional[_Iterable[_Union[Provider, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Provider(_message.Message):
    __slots__ = ("name", "id", "type", "status", "enabled", "forced", "priority", "models", "capabilities")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    id: str
    type: str
    status: _models_service_pb2.ProviderStatus
    enabled: bool
    forced: bool
    priority: int
    models: _containers.RepeatedScalarFieldContainer[str]
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., id: _Optional[str] = ..., type: _Optional[str] = ..., status: _Optional[_Union[_models_service_pb2.ProviderStatus, str]] = ..., enabled: _Optional[bool] = ..., forced: _Optional[bool] = ..., priority: _Optional[int] = ..., models: _Optional[_Iterable[str]] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...
