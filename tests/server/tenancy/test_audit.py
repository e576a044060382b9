"""Changes that are made elsewhere than in the database are undone where they cannot be written down."""

import pytest
from sqlalchemy import text

from server.errors import GatewayError, reason_name
from server.tenancy.pages import Page
from tests.server.tenancy.world import OPERATOR, World

ALL = Page.read(100, "")


async def test_what_cannot_be_written_down_is_undone(small_world: World) -> None:
    kept = ["before"]

    async def undo() -> None:
        kept[:] = ["before"]

    async with small_world.database.begin() as connection:
        await connection.execute(text("ALTER TABLE audit RENAME TO elsewhere"))

    async def change() -> None:
        async with small_world.tenancy.audit.changing(OPERATOR) as changing:
            kept[:] = ["after"]
            changing.made("things/one", {"kept": "before"}, {"kept": "after"}, undo)

    with pytest.raises(GatewayError) as raised:
        await change()

    assert (reason_name(raised.value.reason), kept) == ("overloaded", ["before"])


async def test_a_block_that_changes_nothing_writes_nothing(small_world: World) -> None:
    before, _ = await small_world.tenancy.audit.page(OPERATOR, ALL)
    async with small_world.tenancy.audit.changing(OPERATOR):
        pass

    assert await small_world.tenancy.audit.page(OPERATOR, ALL) == (before, "")
