"""A regular expression -> a short text that it matches; for the plain ones that describe fields.

It knows letters, classes, groups, alternatives, counts and the two ends, and matches nothing itself: a text is right because
of how it was made.
"""

import re

from server.providers.echo.no_instance import NoInstanceError

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_COUNT = re.compile(r"\{(\d{1,3})(?:,\d*)?\}")
_ENDS = ("^", "$")


def pattern_instance(pattern: str) -> str:
    """The text.

    Raises:
        NoInstanceError: the expression is none, or says more than is known.
    """
    text, place = _alternatives(pattern, 0, depth=0)
    if place != len(pattern):
        raise NoInstanceError
    return text


def _alternatives(pattern: str, place: int, depth: int) -> tuple[str, int]:
    """The first alternative's text, and where all of them end."""
    first, place = _sequence(pattern, place, depth)
    while place < len(pattern) and pattern[place] == "|":
        _, place = _sequence(pattern, place + 1, depth)
    return first, place


def _sequence(pattern: str, place: int, depth: int) -> tuple[str, int]:
    made = ""
    begin = place
    while place < len(pattern) and pattern[place] not in "|)":
        if pattern[place] in _ENDS:
            at_end = pattern[place] == "$"
            inside = pattern[place + 1 : place + 2] not in ("", "|") if at_end else place != begin
            if depth or inside:  # in the middle it may match nothing
                raise NoInstanceError
            place += 1
            continue
        atom, place = _atom(pattern, place, depth)
        times, place = _times(pattern, place)
        made += atom * times
    return made, place


def _atom(pattern: str, place: int, depth: int) -> tuple[str, int]:
    letter = pattern[place]
    if letter == "(":
        place += 1
        if pattern.startswith("?:", place):
            place += 2
        text, place = _alternatives(pattern, place, depth + 1)
        if pattern[place : place + 1] != ")":
            raise NoInstanceError
        return text, place + 1
    if letter == "[":
        return _of_class(pattern, place + 1)
    if letter == "\\":
        return _escaped(pattern[place + 1 : place + 2]), place + 2
    if letter in "*+?{}":
        raise NoInstanceError
    return "a" if letter == "." else letter, place + 1


def _of_class(pattern: str, place: int) -> tuple[str, int]:
    """The first letter of a class."""
    end = place
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    inside = pattern[place:end]
    if end >= len(pattern) or not inside or inside[0] == "^":
        raise NoInstanceError
    return _escaped(inside[1:2]) if inside[0] == "\\" else inside[0], end + 1


def _escaped(letter: str) -> str:
    if letter in _CLASSES:
        return _CLASSES[letter]
    if not letter or letter.isalnum():
        raise NoInstanceError
    return letter


def _times(pattern: str, place: int) -> tuple[int, int]:
    """How often at the least what stands before is there, and where that ends."""
    counted = _COUNT.match(pattern, place)
    if counted:
        times, place = int(counted[1]), counted.end()
    elif place < len(pattern) and pattern[place] in "*+?":
        times, place = int(pattern[place] == "+"), place + 1
    else:
        return 1, place
    return times, place + (pattern[place : place + 1] == "?")
