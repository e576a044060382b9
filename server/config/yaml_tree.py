"""YAML text in, a tree of placed nodes out; knows nothing of what the document means.

Scalars follow YAML 1.2's core schema: only `true` and `false` are booleans (`off` stays a word), `2024-10-21` stays text,
`010` is ten. Tags beyond the core types are refused, nothing is ever constructed from them. Depth, size and growth
through aliases are bounded. No message repeats what a value holds.
"""

import re
from collections.abc import Callable, Iterator

import yaml

from server.config.errors import Fault
from server.config.paths import Path, Place, show_path
from server.config.tree import Node, Scalar

_DEEPEST = 32
_MOST_NODES = 20_000

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_CORE_SCHEMA = (
    (_TAG + "bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_TAG + "int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        _TAG + "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    (_TAG + "null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    (_MERGE, r"<<", "<"),
)


class _TooDeep(Exception):
    """A document nested deeper than any configuration is."""


class _Composer(yaml.BaseLoader):
    """Composes nodes, bounded in depth; its constructor is never called."""

    yaml_implicit_resolvers = {  # noqa: RUF012  the type is PyYAML's
        first: [(tag, re.compile(rf"(?:{form})\Z")) for tag, form, starts in _CORE_SCHEMA if first in starts]
        for first in {first for _, _, starts in _CORE_SCHEMA for first in starts}
    }
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Composes one node and what is in it."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _TooDeep
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_tree(text: str, faults: list[Fault]) -> Node | None:
    """Reads one YAML document whose top is a mapping.

    Args:
        text: The document.
        faults: Receives what is wrong.

    Returns:
        The tree, without what was wrong in it; None where there is none to be had.
    """
    composed = _compose(text)
    if isinstance(composed, Fault):
        faults.append(composed)
        return None
    if composed is None:
        faults.append(Fault("", 1, 1, "the file is empty; it has to hold at least one setting"))
        return None
    place = _place(composed)
    if not isinstance(composed, yaml.MappingNode):
        faults.append(Fault("", place.line, place.column, "the document has to be a mapping of `key: value` lines"))
        return None
    return _Reader(faults).read(composed, (), place)


def _compose(text: str) -> yaml.Node | Fault | None:
    try:
        composer = _Composer(text)
        try:
            return composer.get_single_node()
        finally:
            composer.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return Fault("", line, column, "not valid YAML: " + _without_values(said))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - before.rfind("\n")
        return Fault("", before.count("\n") + 1, column, "not valid YAML: a control character is not allowed")
    except (_TooDeep, RecursionError):
        return Fault("", 1, 1, f"nested deeper than {_DEEPEST} levels")
    except (ValueError, OverflowError):  # PyYAML lets these out for escapes and versions that are out of range
        return Fault("", 1, 1, "not valid YAML: an escape or a directive is out of range")


def _without_values(problem: str) -> str:
    """Drops what PyYAML quotes from the file; its own names for syntax, `'<block end>'`, stay."""
    return re.sub(r"""(['"])(?!<[a-z ]+>\1).{2,}\1""", "...", problem, flags=re.DOTALL)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


class _Reader:
    """Turns composed nodes into placed ones, following aliases within bounds."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._count = 0
        self._open: set[int] = set()

    def read(self, node: yaml.Node, path: Path, key_place: Place) -> Node:
        """Reads a node and what is in it."""
        place = _place(node)
        self._count += 1
        if self._count > _MOST_NODES:
            if self._count == _MOST_NODES + 1:
                self._fault(path, place, f"the document holds more than {_MOST_NODES} values, with its aliases followed")
            return Node(None, path, place, key_place)
        if id(node) in self._open:
            self._fault(path, place, "an alias may not stand inside what it names")
            return Node(None, path, place, key_place)
        self._open.add(id(node))
        try:
            return Node(self._value(node, path, place), path, place, key_place)
        finally:
            self._open.discard(id(node))

    def _value(self, node: yaml.Node, path: Path, place: Place) -> Scalar | tuple[Node, ...] | dict[str, Node]:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, place)
        if node.tag not in {_TAG + "seq", _TAG + "map"}:
            self._fault(path, place, "this YAML tag is not accepted")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return tuple(self.read(each, (*path, index), _place(each)) for index, each in enumerate(node.value))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        own: dict[str, Node] = {}
        for key_node, value_node in node.value:
            place = _place(key_node)
            if key_node.tag == _MERGE:
                for source in self._merge_sources(value_node, path):
                    merged = {**self._mapping_once(source, path), **merged}
                continue
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in own:
                first = own[key].key_place.line
                self._fault((*path, key), place, f"the key stands twice; the first is on line {first}")
                continue
            own[key] = self.read(value_node, (*path, key), place)
        return {**merged, **own}

    def _mapping_once(self, node: yaml.MappingNode, path: Path) -> dict[str, Node]:
        return dict(self.read(node, path, _place(node)).entries)

    def _merge_sources(self, node: yaml.Node, path: Path) -> Iterator[yaml.MappingNode]:
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(source, yaml.MappingNode):
                yield source
            else:
                self._fault(path, _place(source), "`<<` takes a mapping or a list of mappings")

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "str":
            if not _has_surrogate(node.value):
                return str(node.value)
            self._fault(path, _place(node), "a key holds half of a character (a surrogate)")
        else:
            self._fault(path, _place(node), "a key has to be text; put it in quotes")
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Path, place: Place) -> Scalar:
        text = str(node.value)
        kind = node.tag.removeprefix(_TAG)
        if _has_surrogate(text):
            self._fault(path, place, "the text holds half of a character (a surrogate)")
            return None
        if kind not in _SCALARS:
            self._fault(path, place, "this YAML tag is not accepted")
            return None
        try:
            return _SCALARS[kind](text)
        except ValueError:
            self._fault(path, place, f"this is not a YAML {kind}")
            return None

    def _fault(self, path: Path, place: Place, message: str) -> None:
        self._faults.append(Fault(show_path(path), place.line, place.column, message))


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _bool(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError
    return text.lower() == "true"


def _int(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _null(_: str) -> None:
    return None


_SCALARS: dict[str, Callable[[str], Scalar]] = {
    "str": str,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "null": _null,
    "merge": str,
}
