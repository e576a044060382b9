"""AdminService: what models cost, as operators set it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from server.call import Call
from server.services import admin_fields, price_fields
from server.services.price_fields import price_message
from server.storage.errors import StorageError
from server.storage.tables import PRICES
from server.tenancy.pages import Page
from server.tenancy.tenancy import Tenancy
from server.tenancy.who import Who, read_name
from trunkline.v1.admin_service_pb2 import (
    CreatePriceRequest,
    CreatePriceResponse,
    DeletePriceRequest,
    DeletePriceResponse,
    GetPriceRequest,
    GetPriceResponse,
    ListPricesRequest,
    ListPricesResponse,
)


class PricesAdmin:
    """The part of AdminService that is about prices.

    Args:
        tenancy: has them.
        refresh: puts them in force in this process. Where it fails, it is called again before long.
    """

    def __init__(self, tenancy: Tenancy, refresh: Callable[[], Awaitable[None]]) -> None:
        self._tenancy = tenancy
        self._refresh = refresh

    async def CreatePrice(self, request: CreatePriceRequest, call: Call) -> CreatePriceResponse:
        """Sets a price."""
        given = request.price
        price = await self._tenancy.prices.create(
            Who.of(call),
            price_fields.provider(given),
            price_fields.model(given),
            price_fields.effective_time(given),
            price_fields.document(given),
        )
        await self._put_in_force()
        return CreatePriceResponse(price=price_message(price))

    async def GetPrice(self, request: GetPriceRequest, call: Call) -> GetPriceResponse:
        """Gets a price."""
        id_ = read_name(request.name, "prices")
        return GetPriceResponse(price=price_message(await self._tenancy.prices.get(Who.of(call), id_)))

    async def ListPrices(self, request: ListPricesRequest, call: Call) -> ListPricesResponse:
        """Lists prices."""
        page = Page.read(request.page_size, request.page_token)
        wanted = []
        if request.provider:
            wanted.append(PRICES.c.provider == admin_fields.filter_text(request.provider, "provider"))
        if request.model:
            wanted.append(PRICES.c.model == admin_fields.filter_text(request.model, "model"))
        listed, token = await self._tenancy.prices.page(Who.of(call), page, *wanted)
        return ListPricesResponse(prices=[price_message(each) for each in listed], next_page_token=token)

    async def DeletePrice(self, request: DeletePriceRequest, call: Call) -> DeletePriceResponse:
        """Deletes a price."""
        await self._tenancy.prices.delete(Who.of(call), read_name(request.name, "prices"))
        await self._put_in_force()
        return DeletePriceResponse()

    async def _put_in_force(self) -> None:
        with suppress(StorageError):  # the change was made
            await self._refresh()
