"""Lines of JSON, however the reads cut them."""

import pytest

from server.providers.errors import Fault, ProviderError
from server.providers.json_lines import LARGEST_LINE, LineParser

TEXTS = {
    "plain": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "carriage returns": (b"{}\r\n[]\r\n", [b"{}\r", b"[]\r"]),
    "blank lines": (b"\n\n{}\n \n\r\n[]\n\n", [b"{}", b"[]"]),
    "no last line feed": (b"{}\n[]", [b"{}", b"[]"]),
    "characters": ('"é𝄞\u2028\u0085"\n'.encode(), ['"é𝄞\u2028\u0085"'.encode()]),
    "nothing": (b"", []),
    "only blanks": (b"\n \r\n", []),
}


def read(*reads: bytes) -> list[bytes]:
    """All lines of a body that comes in these reads."""
    parser = LineParser()
    return [line for one in reads for line in parser.feed(one)] + parser.finish()


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_the_lines_are_the_same_however_the_reads_cut_them(text: bytes, expected: list[bytes]) -> None:
    assert read(text) == expected
    assert read(*(text[place : place + 1] for place in range(len(text)))) == expected
    for place in range(1, len(text)):
        assert read(text[:place], text[place:]) == expected


def test_a_line_comes_with_the_read_that_ends_it() -> None:
    parser = LineParser()
    assert [parser.feed(one) for one in (b"{", b"}\n[", b"1,2", b"]\n")] == [[], [b"{}"], [], [b"[1,2]"]]


def test_a_line_may_not_grow_without_end() -> None:
    parser = LineParser()
    parser.feed(b"x" * LARGEST_LINE)
    with pytest.raises(ProviderError) as raised:
        parser.feed(b"x")
    assert raised.value.fault is Fault.PROTOCOL


def test_only_the_line_that_has_not_ended_counts() -> None:
    parser = LineParser()
    parser.feed(b"x" * LARGEST_LINE)
    assert [len(line) for line in parser.feed(b"\n" + b"y" * LARGEST_LINE)] == [LARGEST_LINE]
