"""Which revision a database's tables have."""

from dataclasses import dataclass

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select

VERSION = Table(
    "alembic_version",  # Alembic's own, as it makes it
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did.

    Attributes:
        before: the revision that was found; None: there was no table.
        after: the one that is there now.
    """

    before: str | None
    after: str


def find_revision(connection: Connection) -> str | None:
    """The revision of the database's tables; None: it has none."""
    if not inspect(connection).has_table(VERSION.name):
        return None
    return ", ".join(sorted(connection.scalars(select(VERSION.c.version_num)))) or None


def reason(error: Exception) -> str:
    """What the database said, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
