"""AWS's event stream: frames in whatever pieces they arrive, and what is no frame."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer

from server.providers.bedrock.eventstream import EventStreamParser, Frame
from server.providers.errors import Fault, ProviderError
from tests.fakes.bedrock_frames import event, exception, frame

STREAM = event("messageStart", b'{"role":"assistant"}') + event("odd", "é€\0".encode()) + exception("x", b"")
FRAMES = [
    Frame(
        {":event-type": "messageStart", ":content-type": "application/json", ":message-type": "event"},
        b'{"role":"assistant"}',
    ),
    Frame({":event-type": "odd", ":content-type": "application/json", ":message-type": "event"}, "é€\0".encode()),
    Frame({":exception-type": "x", ":content-type": "application/json", ":message-type": "exception"}, b""),
]


def read(*reads: bytes) -> list[Frame]:
    parser = EventStreamParser()
    return [frame for data in reads for frame in parser.feed(data)]


def test_frames_arrive_whole() -> None:
    assert read(STREAM) == FRAMES


def test_frames_are_the_same_byte_by_byte() -> None:
    assert read(*(STREAM[place : place + 1] for place in range(len(STREAM)))) == FRAMES


def test_frames_are_the_same_wherever_they_are_cut_in_two() -> None:
    for place in range(len(STREAM)):
        assert read(STREAM[:place], STREAM[place:]) == FRAMES


def test_aws_reads_the_same_frames() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(STREAM)
    assert [(dict(event.headers), event.payload) for event in buffer] == FRAMES


def test_a_torn_frame_is_none() -> None:
    assert read(STREAM[:-1]) == FRAMES[:-1]


def test_headers_that_are_no_strings_are_passed_over() -> None:
    values = b"".join(
        b"\x01n" + kind + value
        for kind, value in [
            (b"\x00", b""),
            (b"\x01", b""),
            (b"\x02", b"1"),
            (b"\x03", b"12"),
            (b"\x04", b"1234"),
            (b"\x05", b"12345678"),
            (b"\x06", b"\x00\x03abc"),
            (b"\x08", b"12345678"),
            (b"\x09", b"1" * 16),
        ]
    )
    assert read(packed(values + b"\x01s\x07\x00\x02ok", b"{}")) == [Frame({"s": "ok"}, b"{}")]


def packed(headers: bytes, payload: bytes, length: int | None = None, headers_length: int | None = None) -> bytes:
    whole = len(headers) + len(payload) + 16 if length is None else length
    prelude = struct.pack("!II", whole, len(headers) if headers_length is None else headers_length)
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack("!I", zlib.crc32(body))


@pytest.mark.parametrize("place", range(len(frame({"a": "b"}, b"payload"))))
def test_one_wrong_byte_is_an_error(place: int) -> None:
    good = frame({"a": "b"}, b"payload")
    bad = good[:place] + bytes([good[place] ^ 0x20]) + good[place + 1 :]
    with pytest.raises(ProviderError) as raised:
        EventStreamParser().feed(bad)
    assert raised.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize(
    "data",
    [
        packed(b"", b"", length=15),
        packed(b"", b"", length=1 << 30),
        packed(b"", b"", headers_length=1),
        packed(b"\x05a", b""),
        packed(b"\x01a\x63", b""),
        packed(b"\x01a\x07\x00\x09ab", b""),
        packed(b"\x01a\x07\x00", b""),
        packed(b"\x01a\x07\x00\x01\xff", b""),
        packed(b"\x01\xff\x00", b""),
    ],
    ids=["short", "huge", "headers too long", "no name", "no such type", "torn value", "torn length", "no text", "no name"],
)
def test_what_is_no_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        EventStreamParser().feed(data)
    assert raised.value.fault is Fault.PROTOCOL
