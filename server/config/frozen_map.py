"""A mapping that cannot be changed and, unlike a mapping proxy, can be hashed, copied and pickled."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")


class FrozenMap(Mapping[str, Value], Generic[Value]):
    """An immutable mapping from text."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Value] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> Value:
        return self._items[key]

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]
        """As a dictionary's, which looks once."""
        return self._items.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"
