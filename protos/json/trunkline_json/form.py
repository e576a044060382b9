"""The mapping between a protobuf message and a JSON object, built once from the message's descriptor.

A field's JSON key is its `json_name` where the contract gives one, else its name. A `*_json` field holds the key's value
as JSON text, a Timestamp is epoch seconds. What has no field, or does not fit its field, travels in `extra_json`; nulls
travel in `nulls`: so every JSON object survives the way through the message and back.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar, cast

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

Parse = Callable[[object, bool], object]
"""A JSON value, and whether to be strict -> the value to construct the field with. Raises Misfit or Carry."""

Render = Callable[[object], object]
"""A field's value -> its JSON value."""

Keywords = dict[str, object]

_INT_TYPES = {
    FieldDescriptor.TYPE_INT32: 1 << 31,
    FieldDescriptor.TYPE_INT64: 1 << 63,
}


class Misfit(ValueError):
    """A JSON value does not fit the contract.

    Attributes:
        path: where, as JSON would write it: `messages[0].content`; empty for the whole.
        expected: what fits, as a noun phrase: "a string".
    """

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.path = ""

    def within(self, step: str) -> "Misfit":
        """The same fault as seen from one level further out."""
        separator = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{step}{separator}{self.path}"
        return self


class Carry(Exception):
    """The value is allowed and the field cannot tell it from absence: it travels in `extra_json`."""


class Union:
    """A message whose JSON form is not an object, or not only one: how to read it and how to write it."""

    def __init__(self, parse: Callable[[object, bool, Parse], object], render: Callable[[Message, Render], object]):
        self.parse = parse
        self.render = render


class Field:
    """One field: its key, how to read it and how to write it."""

    __slots__ = ("exact", "high", "key", "listed", "low", "name", "number", "parse", "presence", "render")

    def __init__(self, name: str, key: str, number: int, value: "Value", presence: bool) -> None:
        self.name = name
        self.key = key
        self.number = number
        self.exact = value.exact
        self.low = -value.limit
        self.high = value.limit
        self.parse = value.parse
        self.render = value.render
        self.presence = presence
        """Whether the field tells its default from absence."""
        self.listed: Field | None = None
        """The field for arrays, where it has the same key."""


class Value(NamedTuple):
    """How the values of a field are read and written.

    Attributes:
        parse: reads any JSON value.
        render: None where the field's value is the JSON value.
        exact: a JSON type whose values are the field's values as they stand; None where there is none.
        limit: for integers: they are below it, and not below its negative.
    """

    parse: Parse
    render: Render | None = None
    exact: type | None = None
    limit: int = 0


class Form(Generic[M]):
    """The JSON form of one message type.

    Args:
        message: the message type.
        unions: by full name, the messages whose JSON form is not simply an object.
        shared_keys: by `Message.field`, the key that a field shares with another one; the value's type tells which is meant.
        constant: keys that every rendered object has, with their values; not read back.
        required: by `Message.field` of a message field, the keys that are rendered as null when nothing is set.
        lists: keys of the object itself that are rendered as an empty array when nothing is set.
    """

    def __init__(
        self,
        message: type[M],
        unions: Mapping[str, Union],
        shared_keys: Mapping[str, str],
        constant: Mapping[str, object] | None = None,
        required: Mapping[str, tuple[str, ...]] | None = None,
        lists: tuple[str, ...] = (),
    ) -> None:
        self._message = message
        self._unions = unions
        self._shared_keys = shared_keys
        self._required = required or {}
        self._tables: dict[tuple[str, tuple[str, ...]], _Table] = {}
        self._root = self._table(cast(Descriptor, message.DESCRIPTOR), self._required.get("", ()))
        self._constant = dict(constant or {})
        self._root.ignored.update(self._constant)
        self._root.lists = frozenset(lists)

    def parse(self, value: object, strict: bool) -> M:
        """Builds the message of a JSON object.

        Args:
            value: the object, as a JSON parser gives it.
            strict: whether a value of a wrong type is a fault; else it travels in `extra_json`.

        Raises:
            Misfit: the value is no object, or, when strict, a part of it has the wrong type.
        """
        return self._message(**self.keywords(value, strict))

    def keywords(self, value: object, strict: bool) -> Keywords:
        """The arguments that construct the message of a JSON object, for use within a larger message. As `parse`."""
        try:
            return self._root.parse(value, strict)
        except RecursionError:
            raise Misfit("a value that is nested less deeply") from None

    def render(self, message: M) -> dict[str, object]:
        """Builds the JSON object of a message.

        Raises:
            Misfit: a `*_json` field holds no JSON (messages that `parse` built always do).
        """
        rendered = self._root.render(message)
        rendered.update(self._constant)
        return rendered

    def _table(self, descriptor: Descriptor, required: tuple[str, ...]) -> "_Table":
        known = self._tables.get((descriptor.full_name, required))
        if known is not None:
            return known
        table = self._tables[descriptor.full_name, required] = _Table(required)
        for descriptor_field in descriptor.fields:
            if descriptor_field.name in ("nulls", "extra_json"):
                continue
            field = self._field(descriptor, descriptor_field)
            table.by_number[field.number] = field
            other = table.by_key.get(field.key)
            if other is None:
                table.by_key[field.key] = field
            elif descriptor_field.is_repeated:
                other.listed = field
            else:
                field.listed = other
                table.by_key[field.key] = field
        return table

    def _field(self, owner: Descriptor, field: FieldDescriptor) -> Field:
        own_key = field.json_name if field.json_name != _camel(field.name) else field.name
        key = self._shared_keys.get(f"{owner.name}.{field.name}", own_key)
        value = self._value(owner, field)
        if _map(field):
            value = Value(_map_of(value.parse), cast(Render, dict))
        elif field.is_repeated:
            value = Value(_list_of(value.parse), _render_list(value.render))
        elif not field.has_presence:
            value = value._replace(parse=_unless_default(value.parse, field.default_value))
        return Field(field.name, key, field.number, value, field.has_presence)

    def _value(self, owner: Descriptor, field: FieldDescriptor) -> Value:
        if _map(field):
            return self._value(owner, _type_of(field).fields_by_name["value"])
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            return self._submessage(owner, field)
        if field.name.endswith("_json") and field.json_name != _camel(field.name):
            return Value(_parse_json_text, _render_json_text)
        if field.type == FieldDescriptor.TYPE_STRING:
            return Value(_parse_string, exact=str)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return Value(_parse_bool, exact=bool)
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return Value(_parse_number, exact=float)
        limit = _INT_TYPES[field.type]
        return Value(_integer_below(limit), exact=int, limit=limit)

    def _submessage(self, owner: Descriptor, field: FieldDescriptor) -> Value:
        full_name = _type_of(field).full_name
        if full_name == "google.protobuf.Timestamp":
            return Value(_parse_seconds, _render_seconds)
        table = self._table(_type_of(field), self._required.get(f"{owner.name}.{field.name}", ()))
        union = self._unions.get(full_name)
        if union is None:
            return Value(table.parse, cast(Render, table.render))
        parse_union, render_union = union.parse, union.render
        return Value(
            lambda value, strict: parse_union(value, strict, table.parse),
            lambda value: render_union(cast(Message, value), cast(Render, table.render)),
        )


class _Table:
    """The fields of one message type, by key for reading and by number for writing."""

    def __init__(self, required: tuple[str, ...]) -> None:
        self.by_key: dict[str, Field] = {}
        self.by_number: dict[int, Field] = {}
        self.ignored: set[str] = set()
        self.lists: frozenset[str] = frozenset()
        self.required = required

    def parse(self, value: object, strict: bool) -> Keywords:
        if type(value) is not dict:
            raise Misfit("an object")
        keywords: Keywords = {}
        nulls: list[int] = []
        extra: Keywords = {}
        get = self.by_key.get
        for key, item in value.items():
            field = get(key)
            if field is None:
                if key not in self.ignored:
                    extra[key] = item
                continue
            if item is None:
                nulls.append(field.number)
                continue
            kind = type(item)
            if kind is list and field.listed is not None:
                field = field.listed
            if kind is field.exact and (item or field.presence) and (kind is not int or field.low <= item < field.high):
                keywords[field.name] = item
                continue
            try:
                keywords[field.name] = field.parse(item, strict)
            except Carry:
                if key not in self.lists:
                    extra[key] = item
            except Misfit as misfit:
                if strict:
                    if field.listed is not None and not misfit.path:
                        misfit.expected += " or an array"
                    raise misfit.within(key) from None
                extra[key] = item
        if nulls:
            keywords["nulls"] = nulls
        if extra:
            keywords["extra_json"] = _extra_text(extra)
        return keywords

    def render(self, message: Message) -> dict[str, object]:
        rendered: dict[str, object] = dict.fromkeys(self.required)
        by_number = self.by_number
        field: Field | None = None
        try:
            for descriptor, value in message.ListFields():
                field = by_number.get(descriptor.number)
                if field is None:
                    self._render_rest(descriptor, value, rendered)
                elif field.render is None:
                    rendered[field.key] = value
                else:
                    rendered[field.key] = field.render(value)
        except Misfit as misfit:
            raise misfit.within(field.key if field else "extra_json") from None
        for key in self.lists:
            rendered.setdefault(key, [])
        return rendered

    def _render_rest(self, descriptor: FieldDescriptor, value: object, rendered: dict[str, object]) -> None:
        if descriptor.name == "nulls":
            for number in value:  # type: ignore[attr-defined]
                field = self.by_number.get(number)
                if field is not None:
                    rendered.setdefault(field.key, None)
            return
        extra = _render_json_text(value)
        if not isinstance(extra, dict):
            raise Misfit("a JSON object")
        rendered.update(extra)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _map(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE and bool(_type_of(field).GetOptions().map_entry)


def _type_of(field: FieldDescriptor) -> Descriptor:
    return cast(Descriptor, field.message_type)


def _json_text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        raise Misfit("a value that is nested less deeply") from None


def _extra_text(extra: Keywords) -> str:
    try:
        return _json_text(extra)
    except Misfit as misfit:
        for key, value in extra.items():
            try:
                _json_text({key: value})
            except Misfit:
                raise misfit.within(key) from None
        raise


def _parse_json_text(value: object, strict: bool) -> str:
    return _json_text(value)


def _render_json_text(value: object) -> object:
    try:
        return orjson.loads(value)  # type: ignore[arg-type]
    except orjson.JSONDecodeError:
        raise Misfit("JSON text") from None


def _parse_string(value: object, strict: bool) -> object:
    if type(value) is not str:
        raise Misfit("a string")
    return value


def _parse_bool(value: object, strict: bool) -> object:
    if type(value) is not bool:
        raise Misfit("true or false")
    return value


def _parse_number(value: object, strict: bool) -> object:
    if type(value) is int:
        if float(value) == value:
            return value
        raise Carry
    if type(value) is not float:
        raise Misfit("a number")
    return value


def _integer_below(limit: int) -> Parse:
    def parse(value: object, strict: bool) -> object:
        if type(value) is not int:
            raise Misfit("an integer")
        if not -limit <= value < limit:
            raise Misfit(f"an integer between {-limit} and {limit - 1}")
        return value

    return parse


_LAST_SECOND = 253402300799
"""The last second of the year 9999, the latest that a Timestamp holds."""


def _parse_seconds(value: object, strict: bool) -> object:
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        raise Misfit("epoch seconds")
    return {"seconds": value}


def _render_seconds(value: object) -> object:
    return value.seconds  # type: ignore[attr-defined]


def _unless_default(parse: Parse, default: object) -> Parse:
    """A field without presence cannot tell its default from absence."""

    def parse_unless_default(value: object, strict: bool) -> object:
        parsed = parse(value, strict)
        if parsed == default:
            raise Carry
        return parsed

    return parse_unless_default


def _list_of(parse: Parse) -> Parse:
    def parse_list(value: object, strict: bool) -> object:
        if type(value) is not list:
            raise Misfit("an array")
        if not value:
            raise Carry
        try:
            return [parse(item, strict) for item in value]
        except Misfit:
            return _parse_each(parse, value, strict)

    return parse_list


def _parse_each(parse: Parse, value: list[object], strict: bool) -> list[object]:
    """The slow way through a list, which knows where it is."""
    parsed = []
    for index, item in enumerate(value):
        try:
            parsed.append(parse(item, strict))
        except Misfit as misfit:
            raise misfit.within(f"[{index}]") from None
    return parsed


_ITEMS = cast(Callable[[object], list[object]], itemgetter(slice(None)))
"""A repeated field as a list, for a third of what `list` costs: to that, protobuf tells the end by an exception."""


def _render_list(render: Render | None) -> Render:
    if render is None:
        return _ITEMS

    def render_list(value: object) -> object:
        items: list[object] = _ITEMS(value)
        try:
            return [render(item) for item in items]
        except Misfit:
            return _render_each(render, items)

    return render_list


def _render_each(render: Render, items: Iterable[object]) -> list[object]:
    """The slow way through a list, which knows where it is."""
    rendered = []
    for index, item in enumerate(items):
        try:
            rendered.append(render(item))
        except Misfit as misfit:
            raise misfit.within(f"[{index}]") from None
    return rendered


def _map_of(parse: Parse) -> Parse:
    def parse_map(value: object, strict: bool) -> object:
        if type(value) is not dict:
            raise Misfit("an object")
        if not value:
            raise Carry
        parsed = {}
        for key, item in value.items():
            try:
                parsed[key] = parse(item, strict)
            except Misfit as misfit:
                raise misfit.within(key) from None
        return parsed

    return parse_map
