import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetConfigStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConfigStatusResponse(_message.Message):
    __slots__ = ("config_status",)
    CONFIG_STATUS_FIELD_NUMBER: _ClassVar[int]
    config_status: ConfigStatus
    def __init__(self, config_status: _Optional[_Union[ConfigStatus, _Mapping]] = ...) -> None: ...

class ConfigStatus(_message.Message):
    __slots__ = ("status", "load_time", "load_duration", "file_size_bytes", "providers_configured", "generation", "warnings")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LOAD_TIME_FIELD_NUMBER: _ClassVar[int]
    LOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    FILE_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    status: str
    load_time: _timestamp_pb2.Timestamp
    load_duration: _duration_pb2.Duration
    file_size_bytes: int
    providers_configured: int
    generation: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[str] = ..., load_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., load_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., file_size_bytes: _Optional[int] = ..., providers_configured: _Optional[int] = ..., generation: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...
