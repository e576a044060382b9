"""Keeps the prices that were set in force: reads their rows, and again when they changed."""

import orjson
import structlog
from sqlalchemy import RowMapping, select

from server.ledger.price_document import read_price
from server.ledger.prices import PriceRow, Prices
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.looking import ChangingRows
from server.storage.tables import PRICES

_PATIENCE_S = 1.0


class PriceRows:
    """The rows.

    Args:
        database: has them.
        prices: is told them.
    """

    def __init__(self, database: Database, prices: Prices) -> None:
        self._rows = ChangingRows(database, (PRICES.c.create_time,), load_prices, prices.set_rows)

    async def refresh(self, timeout_s: float | None = _PATIENCE_S) -> None:
        """Reads the rows if they changed. What was committed before it is called is in force when it returns.

        Args:
            timeout_s: how long that may take; None: as long as any reading.

        Raises:
            StorageError: the database failed; what was read before stays in force.
        """
        await self._rows.refresh(timeout_s)


async def load_prices(connection: AsyncConnection) -> list[PriceRow]:
    """Reads all rows but those that nobody here understands, which the log names."""
    found = (await connection.execute(select(PRICES))).mappings().all()
    return [price for price in map(_read, found) if price is not None]


def _read(row: RowMapping) -> PriceRow | None:
    try:
        return PriceRow(row["provider"], row["model"], row["effective_time"], read_price(orjson.loads(row["price"])))
    except ValueError as error:  # written by a later version
        structlog.get_logger("trunkline.ledger").warning("price not understood", price=row["id"], error=str(error))
        return None
