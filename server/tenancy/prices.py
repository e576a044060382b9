"""Prices that are set: what a model costs from a time on. They are nobody's, and for operators alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import orjson
from sqlalchemy import ColumnElement, RowMapping, false
from sqlalchemy.exc import IntegrityError

from server.errors import GatewayError, invalid_request
from server.storage.connection import AsyncConnection
from server.storage.tables import PRICES
from server.tenancy.records import Price
from server.tenancy.rows import FixedRows
from server.tenancy.who import Who, for_operators, new_id, taken


class Prices(FixedRows[Price]):
    """The prices."""

    collection = "prices"
    table = PRICES

    async def create(
        self, who: Who, provider: str, model: str, effective_time: int | None, price: Mapping[str, object]
    ) -> Price:
        """Makes one.

        Args:
            who: who does it; nobody who belongs to a tenant.
            provider: a row's name or its type; empty: all.
            model: the provider's name of it.
            effective_time: from when on, microseconds since the epoch; None: from now on.
            price: the amounts, decimals as texts.

        Raises:
            GatewayError: INSUFFICIENT_PERMISSIONS; ALREADY_EXISTS where there is one from this time on; OVERLOADED when the
                database fails.
        """
        if not who.operator:
            raise for_operators("Setting a price")
        now = self._now()
        made = Price(new_id(self.collection), provider, model, now if effective_time is None else effective_time, price, now)
        try:
            async with self._changing() as connection:
                await self._create(connection, who, made)
        except IntegrityError:
            whom = f"`{provider}`" if provider else "all providers"
            text = f"`{model}` has a price for {whom} from this time on already: choose another time, or delete that price."
            raise taken(f"models/{model}", text) from None
        return made

    def _read(self, row: RowMapping) -> Price:
        values = cast(dict[str, Any], dict(row))
        return Price(**values | {"price": orjson.loads(values["price"])})

    def _write(self, record: Price) -> dict[str, object]:
        return asdict(record) | {"price": orjson.dumps(record.price).decode()}

    def _visible(self, who: Who) -> Sequence[ColumnElement[bool]]:
        return [] if who.operator else [false()]

    async def _tenant_of(self, connection: AsyncConnection, record: Price) -> str:
        return ""

    def _needed(self) -> GatewayError:
        return invalid_request("The price is needed.", "name")
