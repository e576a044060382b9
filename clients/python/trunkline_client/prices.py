"""What models cost, as operators set it."""

from collections.abc import AsyncIterator, Iterator
from typing import Unpack

from trunkline.v1.admin_service_pb2 import CreatePriceRequest, DeletePriceRequest, GetPriceRequest, ListPricesRequest
from trunkline.v1.price_pb2 import Price
from trunkline_client.admin_calls import AdminCalls, AsyncAdminCalls
from trunkline_client.calls import Options


class AsyncPrices(AsyncAdminCalls):
    """Prices that were set, for those whose key has the permission `admin` and belongs to no tenant.

    Amounts are US dollars as decimals in text, those of tokens for a million of them.

    >>> from trunkline.v1.price_pb2 import Price, PriceRates
    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     rates = PriceRates(input="2.50", cached_input="1.25", output="10")
    ...     price = await client.admin.create_price(Price(provider="openai", model="gpt-4o", rates=rates))
    ...     names = [each.name async for each in client.admin.list_prices(model="gpt-4o")]
    >>> price.rates.input, price.name in names
    ('2.50', True)
    """

    async def create_price(self, price: Price, **options: Unpack[Options]) -> Price:
        """Sets a price.

        Args:
            price: what it is to be. Without `effective_time` it holds from now on.

        Returns:
            The price with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreatePriceRequest(price=price)
        return (await self._ask(self._stub.CreatePrice, request, options)).price

    async def get_price(self, name: str, **options: Unpack[Options]) -> Price:
        """Gets a price, `prices/{price}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none.
        """
        request = GetPriceRequest(name=name)
        return (await self._ask(self._stub.GetPrice, request, options)).price

    def list_prices(
        self, *, provider: str = "", model: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> AsyncIterator[Price]:
        """Lists prices that were set, oldest first, getting page after page as they are needed.

        Args:
            provider: only those for this provider. Empty: all.
            model: only those for this model. Empty: all.
            page_size: the most prices in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListPricesRequest(provider=provider, model=model, page_size=page_size)
        return self._all(self._stub.ListPrices, request, lambda page: page.prices, options)

    async def delete_price(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a price, `prices/{price}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none.
        """
        await self._ask(self._stub.DeletePrice, DeletePriceRequest(name=name), options)


class Prices(AdminCalls):
    """Prices that were set, from threads. As `AsyncPrices`."""

    def create_price(self, price: Price, **options: Unpack[Options]) -> Price:
        """Sets a price."""
        request = CreatePriceRequest(price=price)
        return self._ask(self._stub.CreatePrice, request, options).price

    def get_price(self, name: str, **options: Unpack[Options]) -> Price:
        """Gets a price, `prices/{price}`."""
        request = GetPriceRequest(name=name)
        return self._ask(self._stub.GetPrice, request, options).price

    def list_prices(
        self, *, provider: str = "", model: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> Iterator[Price]:
        """Lists prices that were set, oldest first."""
        request = ListPricesRequest(provider=provider, model=model, page_size=page_size)
        return self._all(self._stub.ListPrices, request, lambda page: page.prices, options)

    def delete_price(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a price, `prices/{price}`."""
        self._ask(self._stub.DeletePrice, DeletePriceRequest(name=name), options)
