"""A tree in the nested shape into settings, and pydantic's complaints into faults with places and without values."""

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from server.config.errors import Fault
from server.config.known_keys import did_you_mean
from server.config.paths import Path
from server.config.schema import Settings
from server.config.tree import Node

_TEXTS = {
    "missing": "is required",
    "string_type": "must be text",
    "model_type": "must be a mapping of `key: value` lines",
    "model_attributes_type": "must be a mapping of `key: value` lines",
    "mapping_type": "must be a mapping of `key: value` lines",
    "tuple_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_pattern_mismatch": "holds characters that are not allowed here, or is too long or empty",
}


def validate(root: Node, faults: list[Fault]) -> Settings | None:
    """Makes the settings; what hinders it is added to `faults`, once for each place."""
    try:
        return Settings.model_validate(root.plain())
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
    known = {(fault.path, fault.line) for fault in faults}
    found = [_fault(root, detail) for detail in details]
    faults.extend(fault for fault in dict.fromkeys(found) if (fault.path, fault.line) not in known)
    return None


def _fault(root: Node, detail: ErrorDetails) -> Fault:
    loc = detail["loc"]
    node, depth = _deepest(root, loc)
    if detail["type"] == "extra_forbidden":
        near = did_you_mean(loc[:-1], str(loc[-1]))
        return node.key_fault(f"unknown key; did you mean {near}?" if near else "unknown key")
    if detail["type"] == "missing":
        absent = Node(None, (*node.path, *loc[depth:]), node.place, node.place)
        return absent.fault(_TEXTS["missing"])
    message = _TEXTS.get(detail["type"]) or _plain_english(detail["msg"])
    if detail["type"] == "string_type" and isinstance(node.value, bool | int | float):
        message += "; put it in quotes"
    if loc[-1] == "[key]":
        return node.key_fault("as a key: " + message)
    return node.fault(message)


def _deepest(root: Node, loc: Path) -> tuple[Node, int]:
    """Follows a location as far as the document goes; gives the node and how many steps led to it."""
    node = root
    for depth, segment in enumerate(loc):
        if isinstance(segment, str) and segment in node.entries:
            node = node.entries[segment]
        elif isinstance(segment, int) and segment < len(node.elements):
            node = node.elements[segment]
        else:
            return node, depth
    return node, len(loc)


def _plain_english(message: str) -> str:
    """Rewords pydantic's "Input should be ..." as what a setting must be."""
    for start, instead in _STARTS.items():
        if message.startswith(start):
            return instead + message.removeprefix(start).partition(", unable to parse")[0]
    return message


_STARTS: Mapping[str, str] = {
    "Value error, ": "",
    "Input should be ": "must be ",
    "Input should ": "must ",
    "String should ": "must ",
    "Tuple should ": "must ",
    "Data should ": "must ",
    "Value should ": "must ",
}
