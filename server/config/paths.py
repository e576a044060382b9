"""Where a value stands: its path inside the document and its place in the file; knows how to print both safely."""

import re
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

# Fields whose content may be secret down to the keys of a mapping that was put there by mistake.
SECRET_FIELDS = frozenset({"api_keys", "api_key", "key", "custom_headers", "url"})
# The keys inside `api_keys` that the format itself gives.
API_KEY_FIELDS = frozenset({"key", "key_env", "sha256", "name", "roles"})
# Fields whose keys are names that the writer chose.
NAMING_FIELDS = frozenset({"aliases", "fallbacks", "context_window_fallbacks", "deployments", "endpoints"})

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
_CHOSEN_NAME = re.compile(r"[A-Za-z0-9_./:@+*-]{1,200}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; line and column count from 1."""

    line: int
    column: int


def show_path(path: Path) -> str:
    """Prints a path, `providers[0].timeout`; a key that could be a misplaced secret is printed as `?`."""
    shown = ""
    for position, segment in enumerate(path):
        if isinstance(segment, int):
            shown += f"[{segment}]"
            continue
        name = segment if _may_be_shown(path[:position], segment) else "?"
        shown += f".{name}" if shown else name
    return shown


def _may_be_shown(parents: Path, key: str) -> bool:
    if any(parent in SECRET_FIELDS for parent in parents):
        return key in API_KEY_FIELDS
    if parents and parents[-1] in NAMING_FIELDS:
        return _CHOSEN_NAME.fullmatch(key) is not None
    return _IDENTIFIER.fullmatch(key) is not None


def show_variable(name: str) -> str:
    """Prints the name of an environment variable; one that does not look like such a name is not printed."""
    return f"`{name}`" if _VARIABLE.fullmatch(name) else "that it names"
