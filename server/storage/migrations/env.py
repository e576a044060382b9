"""Alembic's way in: runs the steps on the connection, and in the transaction, that it is given."""

from alembic import context
from sqlalchemy import Connection

from server.storage.tables import METADATA

connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, compare_type=True)
context.run_migrations()
