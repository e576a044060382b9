"""Prices that were set come into force as their rows change, and stay in force while the rows are out of reach."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import orjson
import pytest
from sqlalchemy import delete, insert, text

from server.config.provider_settings import ProviderSettings
from server.ledger.price import FREE
from server.ledger.price_rows import PriceRows
from server.ledger.prices import Prices
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import PRICES

NOW = 1_790_000_000_000_000
SETTINGS = ProviderSettings.model_validate({"name": "main", "type": "echo"})


async def add(database: Database, input: object, model: str = "m", time: int = NOW, **values: object) -> None:
    """Writes a row as its owner does."""
    price = values.pop("price", {"input": input, "output": "0"})
    row: Mapping[str, object] = {
        "id": f"p-{model}-{time}",
        "provider": "",
        "model": model,
        "effective_time": time,
        "create_time": time,
        "price": orjson.dumps(price).decode(),
        **values,
    }
    async with database.begin() as connection:
        await connection.execute(insert(PRICES), row)


def of_input(prices: Prices, model: str = "m", at: int = NOW) -> Decimal | None:
    """What a million tokens of the prompt cost."""
    price = prices.price(SETTINGS, model, at)
    assert price is not None
    return price.rates.input


async def test_rows_are_in_force_once_they_are_read(database: Database) -> None:
    prices = Prices()
    rows = PriceRows(database, prices)
    await rows.refresh(None)
    assert prices.price(SETTINGS, "m", NOW) == FREE
    await add(database, "2.50")
    await rows.refresh()
    assert [of_input(prices, at=NOW + after) for after in (-1, 0)] == [0, Decimal("2.50")]
    await add(database, "3", time=NOW + 10)
    await rows.refresh()
    assert [of_input(prices, at=NOW + after) for after in (9, 10)] == [Decimal("2.50"), 3]


async def test_rows_that_are_gone_are_not_in_force(database: Database) -> None:
    prices = Prices()
    rows = PriceRows(database, prices)
    await add(database, "1")
    await add(database, "2", time=NOW + 10)
    await rows.refresh()
    assert of_input(prices, at=NOW + 10) == 2
    async with database.begin() as connection:
        await connection.execute(delete(PRICES).where(PRICES.c.effective_time == NOW + 10))
    await rows.refresh()
    assert of_input(prices, at=NOW + 10) == 1


async def test_while_the_database_fails_what_was_read_holds(database: Database) -> None:
    prices = Prices()
    rows = PriceRows(database, prices)
    await add(database, "1")
    await rows.refresh()
    async with database.begin() as connection:
        await connection.execute(text("ALTER TABLE prices RENAME TO elsewhere"))
    with pytest.raises(StorageError):
        await rows.refresh()
    assert of_input(prices) == 1
    async with database.begin() as connection:
        await connection.execute(text("ALTER TABLE elsewhere RENAME TO prices"))
    await add(database, "2", time=NOW + 1)
    await rows.refresh()
    assert of_input(prices, at=NOW + 1) == 2


@pytest.mark.parametrize("price", [{"per_page": "1"}, {"input": 1.5}, {"input": "1e9"}], ids=str)
async def test_a_row_that_nobody_understands_keeps_no_other_from_being_in_force(
    sqlite_database: Database, price: Mapping[str, object]
) -> None:
    prices = Prices()
    await add(sqlite_database, "1", "strange", price=price)
    await add(sqlite_database, "2", "plain")
    await PriceRows(sqlite_database, prices).refresh()
    assert [of_input(prices, model) for model in ("strange", "plain")] == [0, 2]


async def test_who_asks_while_others_do_has_what_was_written_before(database: Database) -> None:
    prices = Prices()
    rows = PriceRows(database, prices)
    looks = [asyncio.ensure_future(rows.refresh(None)) for _ in range(3)]
    await add(database, "1")
    await rows.refresh(None)
    assert of_input(prices) == 1
    await asyncio.gather(*looks)
    assert of_input(prices) == 1
