"""Holders of keys, put into a database before there is a gateway."""

from hashlib import sha256

from sqlalchemy import insert

from server.storage.connection import AsyncConnection
from server.storage.tables import API_KEYS, TENANTS, USERS

TIMES = {"create_time": 1, "update_time": 1}


async def add_holder(connection: AsyncConnection, id: str, key: str) -> None:
    """Adds a tenant with one user who has one key for completions; all three are called the same.

    Args:
        connection: in a transaction.
        id: of all three.
        key: the key itself.
    """
    same = {"display_name": id, "enabled": True, **TIMES}
    user = {"id": id, "tenant_id": id, **same}
    allowed = {"permissions": '["completion"]', "allowed_models": "[]", "allowed_providers": "[]"}
    shown = {"digest": sha256(key.encode()).digest(), "prefix": "llm_"}
    await connection.execute(insert(TENANTS), {"id": id, **same})
    await connection.execute(insert(USERS), user)
    await connection.execute(insert(API_KEYS), {**user, "user_id": id, **shown, **allowed})
