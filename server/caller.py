"""Who is calling, and what they may do."""

from dataclasses import dataclass

COMPLETION = "completion"
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key.

    Attributes:
        name: the key's name, never the key.
        permissions: what the key may do.
    """

    name: str
    permissions: frozenset[str]


ANONYMOUS = Caller(name="", permissions=frozenset())
"""The caller of what needs no key, and everyone before the key was looked at."""
