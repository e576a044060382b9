"""Messages <-> JSON for transcoded RPCs.

The rules: field names as in the contract, integers as numbers (64-bit ones too), enums in lower case without their prefix,
timestamps as RFC 3339, durations as seconds, and every field without presence written, so that a shape never changes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

Json = dict[str, object]

_INTEGERS = {
    FieldDescriptor.TYPE_INT32: 1 << 31,
    FieldDescriptor.TYPE_INT64: 1 << 63,
}


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
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if _map_entry(field):
            item = _message_type(field).fields_by_name["value"]
            written[field.name] = {str(key): _write(item, each) for key, each in value.items()}
        elif field.is_repeated:
            written[field.name] = [_write(field, each) for each in value]
        else:
            written[field.name] = _write(field, value)
    return written


def merge(message: Message, values: Mapping[str, object], path: str = "") -> None:
    """Sets a message's fields from a JSON object.

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
        if _map_entry(field) or (field.is_repeated and not isinstance(value, list)):
            raise JsonFaultError(here, "an array")
        if field.is_repeated:
            getattr(message, name).extend(
                _read(field, each, f"{here}[{i}]") for i, each in enumerate(cast(list[object], value))
            )
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(message, name).CopyFrom(_read(field, value, here))
        else:
            setattr(message, name, _read(field, value, here))


def from_text(field: FieldDescriptor, text: str) -> object:
    """The JSON value that a parameter of a URL stands for."""
    if field.type in _INTEGERS:
        try:
            return int(text) if len(text) < 21 else text
        except ValueError:
            return text
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "false": False}.get(text, text)
    return text


def enum_text(enum: EnumDescriptor, number: int) -> str | int:
    """A value's name in lower case without the enum's prefix; its number where it has no name."""
    value = enum.values_by_number.get(number)
    return number if value is None else value.name.removeprefix(_prefix(enum)).lower()


def _write(field: FieldDescriptor, value: object) -> object:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return enum_text(cast(EnumDescriptor, field.enum_type), cast(int, value))
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return value
    if isinstance(value, Timestamp):
        return value.ToDatetime(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Duration):
        return value.seconds + value.nanos / 1e9
    return to_json(cast(Message, value))


def _read(field: FieldDescriptor, value: object, path: str) -> object:
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _read_enum(cast(EnumDescriptor, field.enum_type), value, path)
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _read_message(field, value, path)
    limit = _INTEGERS.get(field.type)
    if limit is not None:
        if type(value) is not int or not -limit <= value < limit:
            raise JsonFaultError(path, "an integer")
    elif field.type == FieldDescriptor.TYPE_STRING:
        if type(value) is not str:
            raise JsonFaultError(path, "a string")
    elif field.type == FieldDescriptor.TYPE_BOOL:
        if type(value) is not bool:
            raise JsonFaultError(path, "true or false")
    elif type(value) not in (int, float):
        raise JsonFaultError(path, "a number")
    return value


def _read_enum(enum: EnumDescriptor, value: object, path: str) -> int:
    found = enum.values_by_name.get(f"{_prefix(enum)}{value.upper()}") if isinstance(value, str) else None
    if found is None:
        names = [enum_text(enum, each.number) for each in enum.values if each.number]
        raise JsonFaultError(path, f"one of {', '.join(f'`{name}`' for name in names)}")
    return found.number


def _read_message(field: FieldDescriptor, value: object, path: str) -> Message:
    message = cast(Message, _message_type(field)._concrete_class())  # type: ignore[attr-defined]
    if isinstance(message, Timestamp):
        try:
            message.FromDatetime(datetime.fromisoformat(cast(str, value)))
        except (TypeError, ValueError):
            raise JsonFaultError(path, "a time as RFC 3339 writes it") from None
    elif isinstance(message, Duration):
        if type(value) not in (int, float):
            raise JsonFaultError(path, "seconds")
        message.FromMicroseconds(round(cast(float, value) * 1e6))
    elif isinstance(value, dict):
        merge(message, value, f"{path}.")
    else:
        raise JsonFaultError(path, "an object")
    return message


def _fields(descriptor: object) -> list[FieldDescriptor]:
    return cast(list[FieldDescriptor], cast(Descriptor, descriptor).fields)


def _map_entry(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE and bool(_message_type(field).GetOptions().map_entry)


def _message_type(field: FieldDescriptor) -> Descriptor:
    return cast(Descriptor, field.message_type)


def _prefix(enum: EnumDescriptor) -> str:
    """`ALERT_SEVERITY_` of AlertSeverity."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum.name)
    return f"{words.strip('_').upper()}_"
