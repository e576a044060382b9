"""AdminService: how much tenants, users and keys may use and spend."""

from collections.abc import Callable, Mapping

from server.call import Call
from server.services import admin_fields as fields
from server.services.admin_messages import budget_message, quota_message
from server.storage.tables import BUDGETS, QUOTAS
from server.tenancy.budgets import DEFAULT_THRESHOLDS
from server.tenancy.pages import Page
from server.tenancy.subjects import about
from server.tenancy.tenancy import Tenancy
from server.tenancy.who import Who, read_name
from trunkline.v1.admin_service_pb2 import (
    CreateBudgetRequest,
    CreateBudgetResponse,
    CreateQuotaRequest,
    CreateQuotaResponse,
    DeleteBudgetRequest,
    DeleteBudgetResponse,
    DeleteQuotaRequest,
    DeleteQuotaResponse,
    GetBudgetRequest,
    GetBudgetResponse,
    GetQuotaRequest,
    GetQuotaResponse,
    ListBudgetsRequest,
    ListBudgetsResponse,
    ListQuotasRequest,
    ListQuotasResponse,
    UpdateBudgetRequest,
    UpdateBudgetResponse,
    UpdateQuotaRequest,
    UpdateQuotaResponse,
)


class LimitsAdmin:
    """The part of AdminService that is about quotas and budgets.

    Args:
        tenancy: has them.
        require_shared: refuses where processes could not hold to a limit together.
        require_ledger: refuses where there is no ledger to count from.
    """

    def __init__(self, tenancy: Tenancy, require_shared: Callable[[], None], require_ledger: Callable[[], None]) -> None:
        self._tenancy = tenancy
        self._require_ledger = require_ledger
        self._require_shared = require_shared

    async def CreateQuota(self, request: CreateQuotaRequest, call: Call) -> CreateQuotaResponse:
        """Creates a quota."""
        self._require_ledger()
        self._require_shared()
        who, given = Who.of(call), request.quota
        quota = await self._tenancy.quotas.create(
            who,
            fields.subject(given.subject, shared=False),
            fields.amount(given.token_limit, "token_limit"),
            fields.period(given.period),
        )
        return CreateQuotaResponse(quota=quota_message(quota))

    async def GetQuota(self, request: GetQuotaRequest, call: Call) -> GetQuotaResponse:
        """Gets a quota."""
        id_ = read_name(request.name, "quotas")
        return GetQuotaResponse(quota=quota_message(await self._tenancy.quotas.get(Who.of(call), id_)))

    async def ListQuotas(self, request: ListQuotasRequest, call: Call) -> ListQuotasResponse:
        """Lists quotas."""
        page = Page.read(request.page_size, request.page_token)
        wanted = about(QUOTAS, fields.subject(request.subject, shared=False)) if request.subject else []
        listed, token = await self._tenancy.quotas.page(Who.of(call), page, *wanted)
        return ListQuotasResponse(quotas=[quota_message(each) for each in listed], next_page_token=token)

    async def UpdateQuota(self, request: UpdateQuotaRequest, call: Call) -> UpdateQuotaResponse:
        """Changes a quota."""
        self._require_ledger()
        self._require_shared()
        id_ = read_name(request.quota.name, "quotas")
        changes = fields.changes(request.quota, request.update_mask, fields.QUOTA)
        return UpdateQuotaResponse(quota=quota_message(await self._tenancy.quotas.update(Who.of(call), id_, changes)))

    async def DeleteQuota(self, request: DeleteQuotaRequest, call: Call) -> DeleteQuotaResponse:
        """Deletes a quota."""
        await self._tenancy.quotas.delete(Who.of(call), read_name(request.name, "quotas"))
        return DeleteQuotaResponse()

    async def CreateBudget(self, request: CreateBudgetRequest, call: Call) -> CreateBudgetResponse:
        """Creates a budget."""
        self._require_ledger()
        who, given = Who.of(call), request.budget
        enforced = given.enforced if given.HasField("enforced") else True
        if enforced:
            self._require_shared()
        budget = await self._tenancy.budgets.create(
            who,
            fields.subject(given.subject, shared=True),
            fields.amount(given.limit_usd_micros, "limit_usd_micros"),
            fields.period(given.period),
            fields.text(given.display_name, "display_name"),
            enforced,
            fields.thresholds(given.thresholds or DEFAULT_THRESHOLDS),
        )
        return CreateBudgetResponse(budget=budget_message(budget))

    async def GetBudget(self, request: GetBudgetRequest, call: Call) -> GetBudgetResponse:
        """Gets a budget."""
        id_ = read_name(request.name, "budgets")
        return GetBudgetResponse(budget=budget_message(await self._tenancy.budgets.get(Who.of(call), id_)))

    async def ListBudgets(self, request: ListBudgetsRequest, call: Call) -> ListBudgetsResponse:
        """Lists budgets."""
        page = Page.read(request.page_size, request.page_token)
        wanted = about(BUDGETS, fields.subject(request.subject, shared=True)) if request.subject else []
        listed, token = await self._tenancy.budgets.page(Who.of(call), page, *wanted)
        return ListBudgetsResponse(budgets=[budget_message(each) for each in listed], next_page_token=token)

    async def UpdateBudget(self, request: UpdateBudgetRequest, call: Call) -> UpdateBudgetResponse:
        """Changes a budget."""
        self._require_ledger()
        id_ = read_name(request.budget.name, "budgets")
        changes = fields.changes(request.budget, request.update_mask, fields.BUDGET)
        if await self._to_be_enforced(Who.of(call), id_, changes):
            self._require_shared()
        return UpdateBudgetResponse(budget=budget_message(await self._tenancy.budgets.update(Who.of(call), id_, changes)))

    async def DeleteBudget(self, request: DeleteBudgetRequest, call: Call) -> DeleteBudgetResponse:
        """Deletes a budget."""
        await self._tenancy.budgets.delete(Who.of(call), read_name(request.name, "budgets"))
        return DeleteBudgetResponse()

    async def _to_be_enforced(self, who: Who, id_: str, changes: Mapping[str, object]) -> bool:
        if "enforced" in changes:
            return bool(changes["enforced"])
        return (await self._tenancy.budgets.get(who, id_)).enforced
