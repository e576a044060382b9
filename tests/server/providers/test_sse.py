"""Server-sent events, however the reads cut them."""

import pytest

from server.providers.errors import Fault, ProviderError
from server.providers.sse import LARGEST_EVENT, Event, SseParser, events_of, plain_data_of

TEXTS = {
    "plain": (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
    "crlf": (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
    "carriage returns": (b"data: one\r\rdata: two\r\r", [b"one", b"two"]),
    "mixed ends of lines": (b"data: one\r\n\ndata: two\n\r\ndata: three\r\r\n", [b"one", b"two", b"three"]),
    "byte order mark": (b"\xef\xbb\xbfdata: one\n\ndata: two\n\n", [b"one", b"two"]),
    "comments": (b": alive\n\ndata: one\n\n:\n\n: again\ndata: two\n\n", [b"one", b"two"]),
    "comment before the end": (b"data: one\n: alive\n\n", [b"one"]),
    "several lines": (b"data: one\ndata: two\ndata:\ndata: four\n\n", [b"one\ntwo\n\nfour"]),
    "no space": (b"data:one\n\ndata:  two\n\n", [b"one", b" two"]),
    "no last blank line": (b"data: one\n\ndata: two\n", [b"one", b"two"]),
    "no last end of line": (b"data: one\n\ndata: two", [b"one", b"two"]),
    "no last line feed": (b"data: one\r\n\r\ndata: two\r", [b"one", b"two"]),
    "many blank lines": (b"\n\n\ndata: one\n\n\n\n\ndata: two\n\n\n", [b"one", b"two"]),
    "empty data": (b"data: one\n\ndata:\n\ndata: two\n\n", [b"one", b"", b"two"]),
    "other fields": (b"id: 7\nretry: 5\nfoo: bar\ndata: one\nnothing\n\nid: 8\n\n", [b"one"]),
    "no data": (b"event: ping\n\ndata: one\n\n", [b"one"]),
    "characters": ("data: é𝄞\u2028\u0085x\n\n".encode(), ["é𝄞\u2028\u0085x".encode()]),
    "colons": (b"data: a: b\n\ndata::c\n\n", [b"a: b", b":c"]),
    "data in data": (b"data: data: one\n\ndata: \\n\\ndata: two\n\n", [b"data: one", b"\\n\\ndata: two"]),
    "nothing": (b"", []),
    "only ends of lines": (b"\r\n\r\n\n\r", []),
}
every_text = pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS.keys())


def read(*reads: bytes) -> list[Event]:
    """All events of a body that comes in these reads."""
    parser = SseParser()
    events = [event for one in reads for event in parser.feed(one)]
    return events + parser.finish()


@every_text
def test_a_body_in_one_read_gives_its_events(text: bytes, expected: list[bytes]) -> None:
    assert read(text) == [Event("message", data) for data in expected]


@every_text
def test_a_body_cut_anywhere_in_two_gives_the_same(text: bytes, expected: list[bytes]) -> None:
    events = [Event("message", data) for data in expected]
    assert [read(text[:cut], text[cut:]) for cut in range(len(text) + 1)] == [events] * (len(text) + 1)


@every_text
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_body_in_small_reads_gives_the_same(text: bytes, expected: list[bytes], size: int) -> None:
    reads = [text[start : start + size] for start in range(0, len(text), size)]
    assert read(*reads) == [Event("message", data) for data in expected]


def test_an_event_has_its_name() -> None:
    text = b"event: error\ndata: one\n\ndata: two\n\nevent:last\ndata: three\n\n"
    assert read(text) == [Event("error", b"one"), Event("message", b"two"), Event("last", b"three")]


def test_events_come_with_the_read_that_completes_them() -> None:
    parser = SseParser()
    assert parser.feed(b"data: one\n") == []
    assert parser.feed(b"\ndata: t") == [Event("message", b"one")]
    assert parser.feed(b"wo\n\ndata: three\r\n\r\n") == [Event("message", b"two"), Event("message", b"three")]


def test_a_carriage_return_waits_for_the_line_feed_that_may_follow() -> None:
    parser = SseParser()
    assert parser.feed(b"data: one\r\n\r") == []
    assert parser.feed(b"\ndata: two\n\n") == [Event("message", b"one"), Event("message", b"two")]


@every_text
def test_what_is_plain_is_read_the_same_in_both_ways(text: bytes, expected: list[bytes]) -> None:
    complete = SseParser().complete(text + b"\n\n")
    plain = plain_data_of(complete)
    assert plain is None or plain == [event.data for event in events_of(complete)]


def test_data_on_one_line_each_is_plain() -> None:
    assert plain_data_of(b"data: one\n\ndata: two") == [b"one", b"two"]


@pytest.mark.parametrize(
    "text", [b"data: one\ndata: two", b"event: x\ndata: one", b": c\n\ndata: one", b"data:one", b"data: one\n\n: c", b""]
)
def test_anything_else_is_not_plain(text: bytes) -> None:
    assert plain_data_of(text) is None


def test_an_event_may_have_ten_megabytes() -> None:
    data = b"x" * 10_000_000
    text = b"data: " + data + b"\n\n"
    size = 256 * 1024
    assert read(*(text[start : start + size] for start in range(0, len(text), size))) == [Event("message", data)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 7, 2047, 2048, 2049, 5000])
def test_long_events_between_short_ones_stay_whole_however_they_are_torn(size: int, end: bytes) -> None:
    events = [b"one", b"x" * 9000, b"two", b"y" * 2041, b"z" * 2042, b"three"]
    text = b"".join(b"data: " + data + end + end for data in events) + b"data: last"
    reads = [text[start : start + size] for start in range(0, len(text), size)]
    assert read(*reads) == [Event("message", data) for data in (*events, b"last")]


def test_an_event_that_never_ends_is_a_broken_protocol() -> None:
    parser = SseParser()
    piece = b"x" * (LARGEST_EVENT // 4)
    for _ in range(4):
        parser.feed(piece)
    with pytest.raises(ProviderError) as raised:
        parser.feed(b"x")
    assert raised.value.fault is Fault.PROTOCOL
