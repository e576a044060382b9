"""How much tenants, users and keys may use and spend."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Unpack

from trunkline.v1.admin_service_pb2 import (
    CreateBudgetRequest,
    CreateQuotaRequest,
    DeleteBudgetRequest,
    DeleteQuotaRequest,
    GetBudgetRequest,
    GetQuotaRequest,
    ListBudgetsRequest,
    ListQuotasRequest,
    UpdateBudgetRequest,
    UpdateQuotaRequest,
)
from trunkline.v1.tenancy_pb2 import Budget, Quota
from trunkline_client.admin_calls import AdminCalls, AsyncAdminCalls, mask
from trunkline_client.calls import Options


class AsyncLimits(AsyncAdminCalls):
    """Quotas and budgets, for those whose key has the permission `admin`.

    >>> from trunkline.v1.tenancy_pb2 import LIMIT_PERIOD_DAILY, LIMIT_PERIOD_MONTHLY, Budget, Quota
    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     quota = await client.admin.create_quota(
    ...         Quota(subject="users/ada", token_limit=100_000, period=LIMIT_PERIOD_DAILY)
    ...     )
    ...     budget = await client.admin.create_budget(
    ...         Budget(subject="tenants/acme", limit_usd_micros=5_000_000, period=LIMIT_PERIOD_MONTHLY)
    ...     )
    ...     budget = await client.admin.update_budget(Budget(name=budget.name, limit_usd_micros=7_500_000))
    >>> quota.subject, budget.limit_usd_micros
    ('users/ada', 7500000)
    """

    async def create_quota(self, quota: Quota, **options: Unpack[Options]) -> Quota:
        """Creates a quota.

        Args:
            quota: what it is to be.

        Returns:
            The quota with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateQuotaRequest(quota=quota)
        return (await self._ask(self._stub.CreateQuota, request, options)).quota

    async def get_quota(self, name: str, **options: Unpack[Options]) -> Quota:
        """Gets a quota, `quotas/{quota}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetQuotaRequest(name=name)
        return (await self._ask(self._stub.GetQuota, request, options)).quota

    def list_quotas(self, *, subject: str = "", page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[Quota]:
        """Lists quotas, oldest first, getting page after page as they are needed.

        Args:
            subject: only those of this tenant, user or key. Empty: all.
            page_size: the most quotas in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListQuotasRequest(subject=subject, page_size=page_size)
        return self._all(self._stub.ListQuotas, request, lambda page: page.quotas, options)

    async def update_quota(self, quota: Quota, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> Quota:
        """Changes a quota, which its name says.

        Args:
            quota: the fields to set.
            update_mask: which of them. Empty: those that are there.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateQuotaRequest(quota=quota, update_mask=mask(update_mask))
        return (await self._ask(self._stub.UpdateQuota, request, options)).quota

    async def delete_quota(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a quota, `quotas/{quota}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteQuota, DeleteQuotaRequest(name=name), options)

    async def create_budget(self, budget: Budget, **options: Unpack[Options]) -> Budget:
        """Creates a budget.

        Args:
            budget: what it is to be.

        Returns:
            The budget with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateBudgetRequest(budget=budget)
        return (await self._ask(self._stub.CreateBudget, request, options)).budget

    async def get_budget(self, name: str, **options: Unpack[Options]) -> Budget:
        """Gets a budget, `budgets/{budget}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetBudgetRequest(name=name)
        return (await self._ask(self._stub.GetBudget, request, options)).budget

    def list_budgets(self, *, subject: str = "", page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[Budget]:
        """Lists budgets, oldest first, getting page after page as they are needed.

        Args:
            subject: only those of this subject. Empty: all.
            page_size: the most budgets in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListBudgetsRequest(subject=subject, page_size=page_size)
        return self._all(self._stub.ListBudgets, request, lambda page: page.budgets, options)

    async def update_budget(self, budget: Budget, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> Budget:
        """Changes a budget, which its name says.

        Args:
            budget: the fields to set.
            update_mask: which of them. Empty: those that are there.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateBudgetRequest(budget=budget, update_mask=mask(update_mask))
        return (await self._ask(self._stub.UpdateBudget, request, options)).budget

    async def delete_budget(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a budget, `budgets/{budget}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteBudget, DeleteBudgetRequest(name=name), options)


class Limits(AdminCalls):
    """Quotas and budgets, from threads. As `AsyncLimits`."""

    def create_quota(self, quota: Quota, **options: Unpack[Options]) -> Quota:
        """Creates a quota."""
        request = CreateQuotaRequest(quota=quota)
        return self._ask(self._stub.CreateQuota, request, options).quota

    def get_quota(self, name: str, **options: Unpack[Options]) -> Quota:
        """Gets a quota, `quotas/{quota}`."""
        request = GetQuotaRequest(name=name)
        return self._ask(self._stub.GetQuota, request, options).quota

    def list_quotas(self, *, subject: str = "", page_size: int = 0, **options: Unpack[Options]) -> Iterator[Quota]:
        """Lists quotas, oldest first."""
        request = ListQuotasRequest(subject=subject, page_size=page_size)
        return self._all(self._stub.ListQuotas, request, lambda page: page.quotas, options)

    def update_quota(self, quota: Quota, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> Quota:
        """Changes a quota, which its name says."""
        request = UpdateQuotaRequest(quota=quota, update_mask=mask(update_mask))
        return self._ask(self._stub.UpdateQuota, request, options).quota

    def delete_quota(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a quota, `quotas/{quota}`."""
        self._ask(self._stub.DeleteQuota, DeleteQuotaRequest(name=name), options)

    def create_budget(self, budget: Budget, **options: Unpack[Options]) -> Budget:
        """Creates a budget."""
        request = CreateBudgetRequest(budget=budget)
        return self._ask(self._stub.CreateBudget, request, options).budget

    def get_budget(self, name: str, **options: Unpack[Options]) -> Budget:
        """Gets a budget, `budgets/{budget}`."""
        request = GetBudgetRequest(name=name)
        return self._ask(self._stub.GetBudget, request, options).budget

    def list_budgets(self, *, subject: str = "", page_size: int = 0, **options: Unpack[Options]) -> Iterator[Budget]:
        """Lists budgets, oldest first."""
        request = ListBudgetsRequest(subject=subject, page_size=page_size)
        return self._all(self._stub.ListBudgets, request, lambda page: page.budgets, options)

    def update_budget(self, budget: Budget, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> Budget:
        """Changes a budget, which its name says."""
        request = UpdateBudgetRequest(budget=budget, update_mask=mask(update_mask))
        return self._ask(self._stub.UpdateBudget, request, options).budget

    def delete_budget(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a budget, `budgets/{budget}`."""
        self._ask(self._stub.DeleteBudget, DeleteBudgetRequest(name=name), options)
