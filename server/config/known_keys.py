"""The keys that a file may have, and which of them a mistyped one was meant to be."""

from collections.abc import Iterator
from difflib import get_close_matches

from server.config.paths import Path
from server.config.schema import Settings
from server.config.section import Section, keys_of, section_in
from server.config.shapes import MOVES
from server.config.tree import Pattern

_LONGEST = 64


def did_you_mean(parents: Path, key: str) -> str | None:
    """Names the nearest known key: one of the same level, else one of another level with where it belongs.

    Args:
        parents: The path to the section that the key stands in, in the nested shape.
        key: The key as typed.

    Returns:
        For instance "`timeout`", or "`port` of `server`"; None where nothing is near.
    """
    here: Pattern = tuple("*" if isinstance(segment, int) else segment for segment in parents)
    levels = dict(schema_levels(Settings, ()))
    typed = key[:_LONGEST].lower().replace("-", "_")
    near = get_close_matches(typed, levels.get(here, ()), n=1, cutoff=0.6)
    if near:
        return f"`{near[0]}`"
    elsewhere: dict[str, Pattern] = {}
    for level, keys in levels.items():
        for known in keys:
            elsewhere.setdefault(known, level)
    near = get_close_matches(typed, elsewhere, n=1, cutoff=0.6)
    return f"`{near[0]}` of {_shown(elsewhere[near[0]])}" if near else None


def schema_levels(section: type[Section], path: Pattern) -> Iterator[tuple[Pattern, tuple[str, ...]]]:
    """Walks the schema: each level with its keys, outer levels first."""
    yield path, (*keys_of(section), *(move.old for move in MOVES if move.within == path))
    for name, field in section.model_fields.items():
        inner = section_in(field)
        if inner is not None:
            listed = "tuple" in str(field.annotation)
            yield from schema_levels(inner, (*path, name, "*") if listed else (*path, name))


def _shown(level: Pattern) -> str:
    return "`" + ".".join(level).replace(".*", "[]") + "`" if level else "the top level"
