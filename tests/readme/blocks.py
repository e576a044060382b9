"""The README's blocks that are marked to be run: `<!-- run: NAME -->` and a fenced block after it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

_MARKED = re.compile(
    r"^<!-- run: (?P<name>[a-z-]+) -->\n```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """What stands between two fences, and the language that the first one names."""

    language: str
    text: str


def marked_blocks(text: str) -> Mapping[str, Block]:
    """The marked blocks by name."""
    found = {match["name"]: Block(match["language"], match["text"]) for match in _MARKED.finditer(text)}
    assert len(found) == text.count("<!-- run:"), "a name is there twice, or a mark has no block after it"
    return found
