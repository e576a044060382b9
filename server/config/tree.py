"""A document as a tree of immutable nodes that know their place; what every step of loading takes and gives."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from server.config.errors import Fault
from server.config.paths import Path, Place, show_path

Scalar: TypeAlias = str | int | float | bool | None
# Keys and indices; `*` stands for every index of a list.
Pattern: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the document.

    Attributes:
        value: A scalar, a tuple of nodes (a list), or nodes by key (a mapping).
        path: As written in the file, whatever a later step moved the node to.
        place: Of the value.
        key_place: Of the key that leads to the value; of the value in a list.
    """

    value: "Scalar | tuple[Node, ...] | Mapping[str, Node]"
    path: Path
    place: Place
    key_place: Place

    @property
    def entries(self) -> "Mapping[str, Node]":
        """The nodes by key; empty for anything but a mapping."""
        return self.value if isinstance(self.value, Mapping) else MappingProxyType({})

    @property
    def elements(self) -> "tuple[Node, ...]":
        """The nodes of a list; empty for anything but a list."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a mapping."""
        return isinstance(self.value, Mapping)

    def text(self, key: str) -> str | None:
        """Gives the text under `key`, None where there is none or it is no text."""
        node = self.entries.get(key)
        return node.value if node is not None and isinstance(node.value, str) else None

    def with_value(self, value: "Scalar | tuple[Node, ...] | Mapping[str, Node]") -> "Node":
        """Gives this node with another value in the same place."""
        return replace(self, value=value)

    def child(self, key: str, value: Scalar) -> "Node":
        """Gives a new node for `key` of this mapping, placed where the mapping stands."""
        return Node(value, (*self.path, key), self.place, self.place)

    def plain(self) -> object:
        """Gives the value as plain dicts, lists and scalars."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def fault(self, message: str) -> Fault:
        """Makes a fault of this node's value."""
        return Fault(show_path(self.path), self.place.line, self.place.column, message)

    def key_fault(self, message: str) -> Fault:
        """Makes a fault of the key that leads to this node."""
        return Fault(show_path(self.path), self.key_place.line, self.key_place.column, message)


def change_at(node: Node, pattern: Pattern, change: Callable[[Node], Node]) -> Node:
    """Gives the tree with `change` made to every node at `pattern`."""
    if not pattern:
        return change(node)
    head, rest = pattern[0], pattern[1:]
    if head == "*":
        return node.with_value(tuple(change_at(each, rest, change) for each in node.elements)) if node.elements else node
    if head not in node.entries:
        return node
    return node.with_value({**node.entries, head: change_at(node.entries[head], rest, change)})


def leaves(node: Node) -> Iterator[Node]:
    """Walks the nodes that hold neither a list nor a mapping."""
    children = (*node.elements, *node.entries.values())
    if isinstance(node.value, tuple | Mapping):
        for child in children:
            yield from leaves(child)
    else:
        yield node
