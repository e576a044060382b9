"""A contract made for the tests: every kind of field, and every kind of binding that `google.api.http` knows."""

from collections.abc import Mapping
from functools import cache
from typing import cast

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pool, duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

F = FieldDescriptorProto
PACKAGE = "shelf.v1"
SERVICE = f"/{PACKAGE}.ShelfService/"

SCALARS = {
    "title": F.TYPE_STRING,
    "pages": F.TYPE_INT32,
    "copies": F.TYPE_INT64,
    "weight": F.TYPE_UINT64,
    "price": F.TYPE_DOUBLE,
    "rare": F.TYPE_BOOL,
    "cover": F.TYPE_BYTES,
}


def _field(name: str, number: int, kind: "F.Type.ValueType", type_name: str | None = None, **more: object) -> F:
    return F(name=name, number=number, type=kind, type_name=type_name, label=F.LABEL_OPTIONAL, **more)  # type: ignore[arg-type]


def _repeated(field: F) -> F:
    field.label = F.LABEL_REPEATED
    return field


def _entry(name: str, key: "F.Type.ValueType", value: F) -> DescriptorProto:
    entry = DescriptorProto(name=name, field=[_field("key", 1, key), value])
    entry.options.map_entry = True
    return entry


def _book() -> DescriptorProto:
    name = f".{PACKAGE}.Book"
    book = DescriptorProto(name="Book")
    book.field.extend(_field(each, number, kind) for number, (each, kind) in enumerate(SCALARS.items(), 1))
    book.field.extend(
        [
            _field("genre", 10, F.TYPE_ENUM, f".{PACKAGE}.BookGenre"),
            _field("subtitle", 11, F.TYPE_STRING, oneof_index=0, proto3_optional=True),
            _field("print_time", 12, F.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            _field("reading_time", 13, F.TYPE_MESSAGE, ".google.protobuf.Duration"),
            _field("extra", 14, F.TYPE_MESSAGE, ".google.protobuf.Struct"),
            _field("mask", 15, F.TYPE_MESSAGE, ".google.protobuf.FieldMask"),
            _field("sequel", 16, F.TYPE_MESSAGE, name),
            _repeated(_field("authors", 17, F.TYPE_STRING)),
            _repeated(_field("genres", 18, F.TYPE_ENUM, f".{PACKAGE}.BookGenre")),
            _repeated(_field("appendices", 19, F.TYPE_MESSAGE, name)),
            _repeated(_field("labels", 20, F.TYPE_MESSAGE, f"{name}.LabelsEntry")),
            _repeated(_field("chapters", 21, F.TYPE_MESSAGE, f"{name}.ChaptersEntry")),
            _repeated(_field("flags", 22, F.TYPE_MESSAGE, f"{name}.FlagsEntry")),
            _field("name", 23, F.TYPE_STRING),
        ]
    )
    book.oneof_decl.add(name="_subtitle")
    book.nested_type.extend(
        [
            _entry("LabelsEntry", F.TYPE_STRING, _field("value", 2, F.TYPE_STRING)),
            _entry("ChaptersEntry", F.TYPE_INT64, _field("value", 2, F.TYPE_MESSAGE, name)),
            _entry("FlagsEntry", F.TYPE_BOOL, _field("value", 2, F.TYPE_ENUM, f".{PACKAGE}.BookGenre")),
        ]
    )
    return book


def _request() -> DescriptorProto:
    return DescriptorProto(
        name="Request",
        field=[
            _field("name", 1, F.TYPE_STRING),
            _field("number", 2, F.TYPE_INT32),
            _field("genre", 3, F.TYPE_ENUM, f".{PACKAGE}.BookGenre"),
            _repeated(_field("numbers", 4, F.TYPE_INT64)),
            _repeated(_field("genres", 5, F.TYPE_ENUM, f".{PACKAGE}.BookGenre")),
            _field("book", 6, F.TYPE_MESSAGE, f".{PACKAGE}.Book"),
            _field("since", 7, F.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            _field("within", 8, F.TYPE_MESSAGE, ".google.protobuf.Duration"),
            _field("price", 9, F.TYPE_DOUBLE),
            _field("rare", 10, F.TYPE_BOOL),
        ],
    )


def _response() -> DescriptorProto:
    return DescriptorProto(
        name="Response",
        field=[
            _field("seen", 1, F.TYPE_MESSAGE, f".{PACKAGE}.Request"),
            _field("book", 2, F.TYPE_MESSAGE, f".{PACKAGE}.Book"),
            _repeated(_field("books", 3, F.TYPE_MESSAGE, f".{PACKAGE}.Book")),
            _field("count", 4, F.TYPE_INT64),
        ],
    )


Rule = http_pb2.HttpRule
METHODS: Mapping[str, http_pb2.HttpRule] = {
    "ListBooks": Rule(get="/v1/books"),
    "GetBook": Rule(get="/v1/{name=shelves/*/books/*}"),
    "GetShelf": Rule(get="/v1/{name=shelves/*}", additional_bindings=[Rule(get="/v1/rooms/{number}/shelf")]),
    "GetPage": Rule(get="/v1/pages/{number}/{genre}"),
    "GetFile": Rule(get="/v1/files/{name=**}"),
    "CreateBook": Rule(post="/v1/{name=shelves/*}/books", body="book"),
    "UpdateBook": Rule(patch="/v1/{book.name=books/*}", body="book"),
    "SearchBooks": Rule(post="/v1/search", body="*"),
    "LendBook": Rule(post="/v1/{name=books/*}/loans", body="*"),
    "DeleteBook": Rule(delete="/v1/{name=books/*}"),
    "PeekBook": Rule(get="/v1/peek", response_body="book"),
    "PeekBooks": Rule(get="/v1/peeks", response_body="books"),
    "CountBooks": Rule(put="/v1/count", body="*", response_body="count"),
}


@cache
def contract() -> FileDescriptor:
    """The file of the contract."""
    pool = descriptor_pool.Default()  # type: ignore[no-untyped-call]
    wanted = [timestamp_pb2, duration_pb2, struct_pb2, field_mask_pb2]
    file = FileDescriptorProto(name="shelf/v1/shelf.proto", package=PACKAGE, syntax="proto3")
    file.dependency.extend(cast(FileDescriptor, module.DESCRIPTOR).name for module in wanted)
    genre = EnumDescriptorProto(name="BookGenre")
    for number, name in enumerate(("UNSPECIFIED", "NOVEL", "SCIENCE_FICTION")):
        genre.value.add(name=f"BOOK_GENRE_{name}", number=number)
    file.enum_type.append(genre)
    file.message_type.extend([_book(), _request(), _response()])
    service = ServiceDescriptorProto(name="ShelfService")
    for name, rule in METHODS.items():
        options = MethodOptions()
        options.Extensions[annotations_pb2.http].CopyFrom(rule)
        method = MethodDescriptorProto(
            name=name, input_type=f".{PACKAGE}.Request", output_type=f".{PACKAGE}.Response", options=options
        )
        service.method.append(method)
    file.service.append(service)
    return cast(FileDescriptor, pool.AddSerializedFile(file.SerializeToString()))


def new(kind: str, /, **fields: object) -> Message:
    """A message of the contract."""
    return GetMessageClass(cast(Descriptor, contract().message_types_by_name[kind]))(**fields)
