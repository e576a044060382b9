"""Running the gateway: who may call, how much, what models cost, which configuration is in force, trouble made on purpose.

Needs a key with the permission `admin`.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Unpack

from trunkline.v1.admin_service_pb2 import (
    ConfigStatus,
    CreateFaultRequest,
    DeleteFaultRequest,
    Fault,
    GetConfigStatusRequest,
    ListFaultsRequest,
)
from trunkline_client.api_keys import ApiKeys, AsyncApiKeys
from trunkline_client.calls import Options
from trunkline_client.limits import AsyncLimits, Limits
from trunkline_client.prices import AsyncPrices, Prices
from trunkline_client.tenants import AsyncTenants, Tenants


class AsyncAdmin(AsyncTenants, AsyncApiKeys, AsyncLimits, AsyncPrices):
    """What operators do. Tenants, users, keys, quotas, budgets and prices are `AsyncTenants`, `AsyncApiKeys`, `AsyncLimits`
    and `AsyncPrices`.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     status = await client.admin.get_config_status()
    >>> status.status, status.generation
    ('valid', 1)

    Trouble made on purpose, which ends by itself after a minute unless somebody ends it:

    >>> from google.protobuf.duration_pb2 import Duration
    >>> from trunkline.v1.admin_service_pb2 import FAULT_TYPE_RESET, Fault
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     fault = Fault(type=FAULT_TYPE_RESET, probability=0.2, expire_after=Duration(seconds=60))
    ...     fault = await client.admin.create_fault(fault, fault_id="game-day")
    ...     await client.admin.delete_fault(fault.name)
    >>> fault.name
    'faults/game-day'
    """

    async def get_config_status(self, **options: Unpack[Options]) -> ConfigStatus:
        """Tells which configuration is in force, and since when.

        Raises:
            TrunklineError: the call failed.
        """
        request = GetConfigStatusRequest()
        return (await self._ask(self._stub.GetConfigStatus, request, options)).config_status

    def list_faults(self, *, page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[Fault]:
        """Lists the faults that providers are made to have, getting page after page as they are needed.

        Args:
            page_size: the most faults in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListFaultsRequest(page_size=page_size)
        return self._all(self._stub.ListFaults, request, lambda page: page.faults, options)

    async def create_fault(self, fault: Fault, *, fault_id: str = "", **options: Unpack[Options]) -> Fault:
        """Makes a fault, in the gateway's process that answers.

        Args:
            fault: what it does, to which attempts, until when.
            fault_id: what to call it. Empty: its type and a number.

        Returns:
            The fault, with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateFaultRequest(fault=fault, fault_id=fault_id)
        return (await self._ask(self._stub.CreateFault, request, options)).fault

    async def delete_fault(self, name: str, **options: Unpack[Options]) -> None:
        """Ends a fault, `faults/{fault}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such fault.
        """
        await self._ask(self._stub.DeleteFault, DeleteFaultRequest(name=name), options)


class Admin(Tenants, ApiKeys, Limits, Prices):
    """What operators do, from threads. As `AsyncAdmin`."""

    def get_config_status(self, **options: Unpack[Options]) -> ConfigStatus:
        """Tells which configuration is in force, and since when."""
        request = GetConfigStatusRequest()
        return self._ask(self._stub.GetConfigStatus, request, options).config_status

    def list_faults(self, *, page_size: int = 0, **options: Unpack[Options]) -> Iterator[Fault]:
        """Lists the faults that providers are made to have."""
        request = ListFaultsRequest(page_size=page_size)
        return self._all(self._stub.ListFaults, request, lambda page: page.faults, options)

    def create_fault(self, fault: Fault, *, fault_id: str = "", **options: Unpack[Options]) -> Fault:
        """Makes a fault, in the gateway's process that answers."""
        request = CreateFaultRequest(fault=fault, fault_id=fault_id)
        return self._ask(self._stub.CreateFault, request, options).fault

    def delete_fault(self, name: str, **options: Unpack[Options]) -> None:
        """Ends a fault, `faults/{fault}`."""
        self._ask(self._stub.DeleteFault, DeleteFaultRequest(name=name), options)
