"""A world in each kind of database."""

import pytest

from server.storage.database import Database
from tests.server.tenancy.world import World, settle


@pytest.fixture
async def world(database: Database) -> World:
    """Two tenants, in SQLite and in PostgreSQL."""
    return await settle(database)


@pytest.fixture
async def small_world(sqlite_database: Database) -> World:
    """Two tenants, in SQLite alone: for what no database changes."""
    return await settle(sqlite_database)
