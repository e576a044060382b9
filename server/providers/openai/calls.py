"""The tool calls of one choice as they arrive: gives each piece its index, its id and its type, where the vendor did not.

Mistral leaves out index and type, some servers give every call the index 0, others repeat id and name on each piece: SDKs
would join those, or lose a call. Some write the arguments as an object, which SDKs would not read.
"""

from collections.abc import Iterable
from contextlib import suppress

import orjson

Json = dict[str, object]


class Calls:
    """The calls of one choice so far.

    Args:
        seed: what made-up ids begin with.
    """

    __slots__ = ("_ids", "_last", "_moved", "_names", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._ids: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._moved: dict[int, int] = {}
        self._last = -1

    def begins(self, index: int) -> bool:
        """Whether a piece with this index is the first of its call."""
        return index not in self._ids

    def begin(self, index: int, id: str, name: str) -> None:
        """Notes the first piece of a call that needed no mending."""
        self._ids[index], self._names[index], self._last = id, name, index

    def mend(self, pieces: Iterable[object]) -> None:
        """Puts right what is missing or repeated in the pieces of one delta."""
        for piece in pieces:
            if isinstance(piece, dict):
                self._mend(piece)

    def _mend(self, piece: Json) -> None:
        given = piece.get("function")
        function: Json = given if isinstance(given, dict) else {}
        id = _text(piece.get("id"))
        name = _text(function.get("name"))
        index = piece["index"] = self._last = self._index(piece.get("index"), id, name)
        _write_arguments(function)
        if self.begins(index):
            self._ids[index] = piece["id"] = id or f"call_{self._seed}_{index}"
            if not _text(piece.get("type")):
                piece["type"] = "function"
            self._names[index] = name
            return
        piece.pop("id", None)
        piece.pop("type", None)
        known = self._names.get(index, "")
        if not name or name == known:
            function.pop("name", None)
        else:
            self._names[index] = known + name

    def _index(self, given: object, id: str, name: str) -> int:
        """Which call a piece belongs to: the one with its id, else its index, else the last one."""
        number = given if type(given) is int and given >= 0 else None
        following = max(self._ids, default=-1) + 1
        if id:
            for known, other in self._ids.items():
                if other == id and number in (None, known):
                    return known
        if number is not None:
            if id and name and self._ids.get(number, id) != id:  # the same index for another call
                self._moved[number] = following
            return self._moved.get(number, number)
        return following if id or (name and name != self._names.get(self._last)) or self._last < 0 else self._last


def complete_calls(calls: object, seed: str) -> bool:
    """Gives each call of a whole message its id and its type, and says whether there is any."""
    if not isinstance(calls, list):
        return False
    for place, call in enumerate(calls):
        if isinstance(call, dict):
            call.pop("index", None)
            if not _text(call.get("id")):
                call["id"] = f"call_{seed}_{place}"
            if not _text(call.get("type")):
                call["type"] = "function"
            function = call.get("function")
            if isinstance(function, dict):
                _write_arguments(function)
    return bool(calls)


def _write_arguments(function: Json) -> None:
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        with suppress(orjson.JSONEncodeError):  # nested too deeply, which is told where the answer is typed
            function["arguments"] = orjson.dumps(arguments).decode()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
