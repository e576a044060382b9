"""Messages <-> JSON by the transcoder's rules."""

import json
from datetime import UTC, datetime
from typing import cast

import orjson
import pytest
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.transcoding.json_rules import JsonFaultError, enum_text, merge, to_json
from tests.gateway_http.transcoding.contract import contract, new

FULL: dict[str, object] = {
    "title": "Solaris",
    "pages": -204,
    "copies": 2**63 - 1,
    "weight": 2**64 - 1,
    "price": 9.5,
    "rare": True,
    "cover": "AP8=",
    "genre": "science_fiction",
    "subtitle": "",
    "print_time": "1961-06-01T12:30:00.250Z",
    "reading_time": 3600.5,
    "extra": {"a": [1.0, "x", None, {"b": True}]},
    "mask": "display_name,book.title",
    "sequel": {"title": "None"},
    "authors": ["Lem", ""],
    "genres": ["novel", "science_fiction"],
    "appendices": [{"pages": 1}, {}],
    "labels": {"a.b": "x", "": ""},
    "chapters": {"-7": {"title": "One"}},
    "flags": {"true": "novel", "false": "unspecified"},
    "name": "books/solaris",
}


def book(values: dict[str, object]) -> Message:
    message = new("Book")
    merge(message, values)
    return message


def test_what_is_read_is_written_again() -> None:
    written = to_json(book(FULL))
    for partial in ("sequel", "appendices", "chapters"):
        del written[partial]
    assert written == {name: value for name, value in FULL.items() if name not in ("sequel", "appendices", "chapters")}


def test_messages_within_messages_are_read() -> None:
    written = to_json(book(FULL))
    assert cast(dict[str, object], written["sequel"])["title"] == "None"
    assert [each["pages"] for each in cast(list[dict[str, object]], written["appendices"])] == [1, 0]
    assert cast(dict[str, dict[str, object]], written["chapters"])["-7"]["title"] == "One"


def test_an_empty_message_is_written_with_all_that_has_no_presence() -> None:
    scalars = {"title": "", "pages": 0, "copies": 0, "weight": 0, "price": 0.0, "rare": False, "cover": "", "name": ""}
    lists = {"authors": [], "genres": [], "appendices": []}
    maps = {"labels": {}, "chapters": {}, "flags": {}}
    assert to_json(new("Book")) == {**scalars, "genre": "unspecified", **lists, **maps}


def test_what_has_presence_is_written_only_when_it_is_there() -> None:
    assert "subtitle" not in to_json(new("Book"))
    assert to_json(new("Book", subtitle=""))["subtitle"] == ""
    assert to_json(new("Book", reading_time=Duration()))["reading_time"] == 0


def test_64_bits_survive_json() -> None:
    text = orjson.dumps(to_json(new("Book", copies=2**63 - 1, weight=2**64 - 1)))
    assert (json.loads(text)["copies"], json.loads(text)["weight"]) == (2**63 - 1, 2**64 - 1)


def test_times_are_written_in_utc_with_z() -> None:
    time = Timestamp()
    time.FromDatetime(datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC))
    assert to_json(new("Book", print_time=time))["print_time"] == "2026-11-21T03:04:05Z"
    assert to_json(book({"print_time": "2026-11-21T04:04:05+01:00"}))["print_time"] == "2026-11-21T03:04:05Z"


def test_a_number_without_a_name_is_written_as_it_is() -> None:
    assert to_json(new("Book", genre=77))["genre"] == 77


def test_null_leaves_a_field_as_it_is() -> None:
    assert book(dict.fromkeys(FULL)) == new("Book")


@pytest.mark.parametrize("name", ["HTTPMethod", "APIKeyRole", "AlertSeverity", "OAuth2Flow"])
def test_the_prefix_of_an_enum_is_its_name(name: str) -> None:
    prefix = {"HTTPMethod": "HTTP_METHOD", "APIKeyRole": "API_KEY_ROLE", "AlertSeverity": "ALERT_SEVERITY"}
    enum = _enum(name, f"{prefix.get(name, 'O_AUTH2_FLOW')}_FIRST_ONE")
    assert enum_text(enum, 0) == "first_one"


def _enum(name: str, value: str) -> EnumDescriptor:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

    file = FileDescriptorProto(name="enum.proto", syntax="proto3")
    file.enum_type.add(name=name).value.add(name=value, number=0)
    return cast(EnumDescriptor, DescriptorPool().AddSerializedFile(file.SerializeToString()).enum_types_by_name[name])


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "an unknown field": ({"colour": 1}, "colour"),
    "an unknown field within": ({"sequel": {"sequel": {"colour": 1}}}, "sequel.sequel.colour"),
    "another case": ({"printTime": "x"}, "printTime"),
    "a string": ({"title": 1}, "title"),
    "an integer as text": ({"pages": "1"}, "pages"),
    "an integer as float": ({"pages": 1.0}, "pages"),
    "an integer as bool": ({"pages": True}, "pages"),
    "32 bits": ({"pages": 2**31}, "pages"),
    "64 bits": ({"copies": 2**63}, "copies"),
    "no sign": ({"weight": -1}, "weight"),
    "a number": ({"price": "1"}, "price"),
    "a bool": ({"rare": 1}, "rare"),
    "bytes": ({"cover": "?"}, "cover"),
    "bytes as a number": ({"cover": 1}, "cover"),
    "an enum's number": ({"genre": 1}, "genre"),
    "an enum in capitals": ({"genre": "NOVEL"}, "genre"),
    "an enum with its prefix": ({"genre": "BOOK_GENRE_NOVEL"}, "genre"),
    "an unknown enum": ({"genres": ["novel", "opera"]}, "genres[1]"),
    "a time as a number": ({"print_time": 1}, "print_time"),
    "a time without its zone": ({"print_time": "2026-11-21T03:04:05"}, "print_time"),
    "a day": ({"print_time": "2026-11-21"}, "print_time"),
    "a day that is none": ({"print_time": "2026-02-30T03:04:05Z"}, "print_time"),
    "a year that is none": ({"print_time": "99999-01-01T00:00:00Z"}, "print_time"),
    "a duration as text": ({"reading_time": "3s"}, "reading_time"),
    "a duration as bool": ({"reading_time": True}, "reading_time"),
    "an endless duration": ({"reading_time": 1e308}, "reading_time"),
    "a struct": ({"extra": [1]}, "extra"),
    "a mask": ({"mask": ["title"]}, "mask"),
    "no array": ({"authors": "Lem"}, "authors"),
    "an array with null": ({"authors": ["Lem", None]}, "authors[1]"),
    "no object": ({"sequel": "x"}, "sequel"),
    "an array of objects": ({"appendices": [{}, {"pages": "x"}]}, "appendices[1].pages"),
    "no map": ({"labels": []}, "labels"),
    "a map's value": ({"labels": {"a": 1}}, "labels.a"),
    "a map's key": ({"chapters": {"one": {}}}, "chapters.one"),
    "a map's key as bool": ({"flags": {"yes": "novel"}}, "flags.yes"),
    "a map's message": ({"chapters": {"1": {"pages": "x"}}}, "chapters.1.pages"),
    "a map's enum": ({"flags": {"true": "opera"}}, "flags.true"),
}


@pytest.mark.parametrize(("values", "path"), FAULTS.values(), ids=FAULTS)
def test_a_value_that_does_not_fit_is_refused_where_it_is(values: dict[str, object], path: str) -> None:
    with pytest.raises(JsonFaultError) as caught:
        book(values)
    assert caught.value.path == path


def test_the_contract_of_these_tests_has_every_kind_of_field() -> None:
    assert set(FULL) == set(contract().message_types_by_name["Book"].fields_by_name)
