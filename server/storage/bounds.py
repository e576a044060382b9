"""What storage may take of time and connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What storage may take.

    Attributes:
        connections: how many connections at most to PostgreSQL, or to SQLite for reading.
        timeout_s: how long one transaction may take, its wait for a connection included, unless its caller says.
        connect_timeout_s: how long it may take to reach PostgreSQL.
        close_timeout_s: how long to wait for a connection to close or to undo what it began; then it goes by itself.
        migration_timeout_s: how long the schema may take at start, and the wait for other processes that are at it.
    """

    connections: int = 10
    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    close_timeout_s: float = 0.5
    migration_timeout_s: float = 600.0
