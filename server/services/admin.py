"""AdminService: running the gateway."""

from collections.abc import Awaitable, Callable

from server.call import Call
from server.policies.chaos import Chaos
from server.runtime import Runtime
from server.services.admin_limits import LimitsAdmin
from server.services.admin_prices import PricesAdmin
from server.services.admin_tenancy import TenancyAdmin
from server.services.faults import COLLECTION, fault_fields, read_fault, write_fault
from server.services.pages import page
from server.services.times import duration, timestamp_to_ms
from server.tenancy.tenancy import Tenancy
from server.tenancy.who import Who, read_name
from trunkline.v1.admin_service_pb2 import (
    ConfigStatus,
    CreateFaultRequest,
    CreateFaultResponse,
    DeleteFaultRequest,
    DeleteFaultResponse,
    GetConfigStatusRequest,
    GetConfigStatusResponse,
    ListFaultsRequest,
    ListFaultsResponse,
)


class AdminService(TenancyAdmin, LimitsAdmin, PricesAdmin):
    """Implements the contract's AdminService.

    Args:
        runtime: gives the configuration in force.
        chaos: the faults that are made on purpose.
        tenancy: who may call, and how much.
        require_shared: refuses limits that processes could not hold to together.
        require_ledger: refuses quotas and budgets where there is no ledger.
        refresh_prices: puts prices that were set in force in this process.
    """

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        chaos: Chaos,
        tenancy: Tenancy,
        require_shared: Callable[[], None],
        require_ledger: Callable[[], None],
        refresh_prices: Callable[[], Awaitable[None]],
    ) -> None:
        TenancyAdmin.__init__(self, tenancy)
        LimitsAdmin.__init__(self, tenancy, require_shared, require_ledger)
        PricesAdmin.__init__(self, tenancy, refresh_prices)
        self._runtime = runtime
        self._chaos = chaos
        self._audit = tenancy.audit

    async def GetConfigStatus(self, request: GetConfigStatusRequest, call: Call) -> GetConfigStatusResponse:
        """Tells which configuration is in force."""
        runtime = self._runtime()
        status = ConfigStatus(
            status="valid",
            load_time=timestamp_to_ms(runtime.start_time),
            load_duration=duration(runtime.loaded.load_time_s),
            file_size_bytes=runtime.loaded.file_size_bytes,
            providers_configured=len(runtime.rows),
            generation=runtime.generation,
            warnings=[notice.message for notice in runtime.loaded.notices],
        )
        return GetConfigStatusResponse(config_status=status)

    async def ListFaults(self, request: ListFaultsRequest, call: Call) -> ListFaultsResponse:
        """Lists the faults of this process."""
        faults, token = page(self._chaos.faults(), request, default=100, key=lambda known: known.place)
        return ListFaultsResponse(faults=map(write_fault, faults), next_page_token=token)

    async def CreateFault(self, request: CreateFaultRequest, call: Call) -> CreateFaultResponse:
        """Makes a fault."""
        async with self._audit.changing(Who.of(call)) as changing:
            made = self._chaos.create(read_fault(request), request.fault_id)

            async def undo() -> None:
                self._chaos.delete(made.id)

            changing.made(f"{COLLECTION}/{made.id}", None, fault_fields(made), undo)
        return CreateFaultResponse(fault=write_fault(made))

    async def DeleteFault(self, request: DeleteFaultRequest, call: Call) -> DeleteFaultResponse:
        """Ends a fault."""
        id_ = read_name(request.name, COLLECTION)
        async with self._audit.changing(Who.of(call)) as changing:
            ended = self._chaos.delete(id_)

            async def undo() -> None:
                self._chaos.restore(ended)

            changing.made(f"{COLLECTION}/{id_}", fault_fields(ended), None, undo)
        return DeleteFaultResponse()
