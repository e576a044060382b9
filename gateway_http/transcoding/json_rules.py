"""Messages <-> JSON for transcoded RPCs.

The rules: field names as in the contract, integers as numbers (64-bit ones too), enums in lower case without their prefix,
timestamps as RFC 3339, durations as seconds, field masks as the contract's names with commas between, bytes as base64,
structs as plain JSON, and every field without presence written, so that a shape never changes.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

Json = dict[str, object]

_LIMITS = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), 1 << 31),
    FieldDescriptor.TYPE_SINT32: (-(1 << 31), 1 << 31),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), 1 << 63),
    FieldDescriptor.TYPE_SINT64: (-(1 << 63), 1 << 63),
    FieldDescriptor.TYPE_UINT32: (0, 1 << 32),
    FieldDescriptor.TYPE_UINT64: (0, 1 << 64),
}
_LONGEST_DURATION_S = 315_576_000_000
"""Ten thousand years, the longest that a Duration holds."""
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")


class JsonFaultError(ValueError):
    """A value does not fit its field.

    Attributes:
        path: where.
        expected: what fits, as a noun phrase.
    """

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path}: {expected}")
        self.path = path
        self.expected = expected


def to_json(message: Message) -> Json:
    """The JSON object of a message."""
    written: Json = {}
    for field in _fields(message.DESCRIPTOR):
        if not field.has_presence or message.HasField(field.name):
            written[field.name] = field_json(message, field)
    return written


def field_json(message: Message, field: FieldDescriptor) -> object:
    """The JSON value of one field, which is there."""
    value = getattr(message, field.name)
    if _is_map(field):
        item = _message_type(field).fields_by_name["value"]
        return {_key_text(key): _write(item, value[key]) for key in value}
    if field.is_repeated:
        return [_write(field, each) for each in value]
    return _write(field, value)


def merge(message: Message, values: Mapping[str, object], path: str = "") -> None:
    """Sets a message's fields from a JSON object; a null leaves its field as it is.

    Raises:
        JsonFaultError: a key that the message does not have, or a value that does not fit its field.
    """
    known = {field.name: field for field in _fields(message.DESCRIPTOR)}
    for name, value in values.items():
        field = known.get(name)
        here = f"{path}{name}"
        if field is None:
            raise JsonFaultError(here, f"one of {', '.join(f'`{key}`' for key in known)}" if known else "left out")
        if value is None:
            continue
        if _is_map(field):
            _merge_map(message, field, value, here)
        elif field.is_repeated:
            if not isinstance(value, list):
                raise JsonFaultError(here, "an array")
            getattr(message, name).extend(_read(field, each, f"{here}[{i}]") for i, each in enumerate(value))
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(message, name).CopyFrom(_read(field, value, here))
        else:
            setattr(message, name, _read(field, value, here))


def _merge_map(message: Message, field: FieldDescriptor, value: object, path: str) -> None:
    if not isinstance(value, dict):
        raise JsonFaultError(path, "an object")
    key_field, item_field = (_message_type(field).fields_by_name[name] for name in ("key", "value"))
    entries = getattr(message, field.name)
    for text, item in value.items():
        here = f"{path}.{text}"
        key = _read(key_field, from_text(key_field, text), here)
        read = _read(item_field, item, here)
        if item_field.type == FieldDescriptor.TYPE_MESSAGE:
            entries[key].CopyFrom(read)
        else:
            entries[key] = read


def from_text(field: FieldDescriptor, text: str) -> object:
    """The JSON value that a parameter of a URL, or a map's key, stands for; the text itself where it stands for none."""
    if field.type in _LIMITS:
        return int(text) if _INTEGER.fullmatch(text) else text
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "false": False}.get(text, text)
    duration = field.type == FieldDescriptor.TYPE_MESSAGE and _message_type(field).full_name == "google.protobuf.Duration"
    if duration or field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
        return float(text) if _NUMBER.fullmatch(text) else text
    return text


def enum_text(enum: EnumDescriptor, number: int) -> str | int:
    """A value's name in lower case without the enum's prefix; its number where it has no name."""
    value = enum.values_by_number.get(number)
    return number if value is None else value.name.removeprefix(_prefix(enum)).lower()


def _key_text(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _write(field: FieldDescriptor, value: object) -> object:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return enum_text(cast(EnumDescriptor, field.enum_type), cast(int, value))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(cast(bytes, value)).decode()
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return value
    match value:
        case Timestamp():
            return value.ToJsonString()
        case Duration():
            return value.seconds + value.nanos / 1e9
        case FieldMask():
            return ",".join(value.paths)
        case Struct() | ListValue() | Value():
            return cast(object, json_format.MessageToDict(value))
    return to_json(cast(Message, value))


def _read(field: FieldDescriptor, value: object, path: str) -> object:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _read_enum(cast(EnumDescriptor, field.enum_type), value, path)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _read_message(field, value, path)
    limits = _LIMITS.get(field.type)
    if limits is not None:
        if type(value) is not int or not limits[0] <= value < limits[1]:
            raise JsonFaultError(path, f"an integer between {limits[0]} and {limits[1] - 1}")
    elif field.type == FieldDescriptor.TYPE_STRING:
        if type(value) is not str:
            raise JsonFaultError(path, "a string")
    elif field.type == FieldDescriptor.TYPE_BOOL:
        if type(value) is not bool:
            raise JsonFaultError(path, "true or false")
    elif field.type == FieldDescriptor.TYPE_BYTES:
        return _read_bytes(value, path)
    elif type(value) not in (int, float):
        raise JsonFaultError(path, "a number")
    return value


def _read_enum(enum: EnumDescriptor, value: object, path: str) -> int:
    numbers = {enum_text(enum, each.number): each.number for each in enum.values}
    if not isinstance(value, str) or value not in numbers:
        names = ", ".join(f"`{name}`" for name, number in numbers.items() if number)
        raise JsonFaultError(path, f"one of {names}")
    return numbers[value]


def _read_bytes(value: object, path: str) -> bytes:
    try:
        return base64.b64decode(cast(str, value), validate=True)
    except (TypeError, ValueError):
        raise JsonFaultError(path, "bytes as base64") from None


def _read_message(field: FieldDescriptor, value: object, path: str) -> Message:
    message = GetMessageClass(_message_type(field))()
    match message:
        case Timestamp():
            _guarded(path, "a time as RFC 3339 writes it", lambda: message.FromJsonString(cast(str, value)))
        case Duration():
            if type(value) not in (int, float) or not abs(cast(float, value)) <= _LONGEST_DURATION_S:
                raise JsonFaultError(path, "a number of seconds")
            message.FromMicroseconds(round(cast(float, value) * 1e6))
        case FieldMask():
            if not isinstance(value, str):
                raise JsonFaultError(path, "names of fields with commas between")
            message.paths.extend(name for name in value.split(",") if name)
        case Struct() | ListValue() | Value():
            _guarded(path, "JSON of the right type", lambda: json_format.ParseDict(cast(Json, value), message))
        case _ if isinstance(value, dict):
            merge(message, value, f"{path}.")
        case _:
            raise JsonFaultError(path, "an object")
    return message


def _guarded(path: str, expected: str, read: Callable[[], object]) -> None:
    try:
        read()
    except (json_format.ParseError, AttributeError, TypeError, ValueError):
        raise JsonFaultError(path, expected) from None


def _fields(descriptor: object) -> list[FieldDescriptor]:
    return cast(list[FieldDescriptor], cast(Descriptor, descriptor).fields)


def _is_map(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE and bool(_message_type(field).GetOptions().map_entry)


def _message_type(field: FieldDescriptor) -> Descriptor:
    return cast(Descriptor, field.message_type)


def _prefix(enum: EnumDescriptor) -> str:
    """`ALERT_SEVERITY_` of AlertSeverity, `API_KEY_ROLE_` of APIKeyRole."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", enum.name)
    return f"{words.upper()}_"
