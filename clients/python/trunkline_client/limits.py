"""How much tenants, users and keys may use and spend."""

from collections.abc import AsyncIterator, Iterator, Sequence

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
from trunkline_client.calls import Metadata, pages, pages_sync


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

    async def create_quota(self, quota: Quota, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Quota:
        """Creates a quota.

        Args:
            quota: what it is to be.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Returns:
            The quota with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateQuotaRequest(quota=quota)
        response = await self._ask(self._stub.CreateQuota, request, timeout_s, metadata)
        return response.quota

    async def get_quota(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Quota:
        """Gets a quota, `quotas/{quota}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetQuotaRequest(name=name)
        response = await self._ask(self._stub.GetQuota, request, timeout_s, metadata)
        return response.quota

    async def list_quotas(
        self, *, subject: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[Quota]:
        """Lists quotas, oldest first, getting page after page as they are needed.

        Args:
            subject: only those of this tenant, user or key. Empty: all.
            page_size: the most quotas in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: self._page(
                self._stub.ListQuotas,
                ListQuotasRequest(subject=subject, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            for quota in page.quotas:
                yield quota

    async def update_quota(
        self, quota: Quota, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Quota:
        """Changes a quota, which its name says.

        Args:
            quota: the fields to set.
            update_mask: which of them. Empty: those that are there.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateQuotaRequest(quota=quota, update_mask=mask(update_mask))
        response = await self._ask(self._stub.UpdateQuota, request, timeout_s, metadata)
        return response.quota

    async def delete_quota(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a quota, `quotas/{quota}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteQuota, DeleteQuotaRequest(name=name), timeout_s, metadata)

    async def create_budget(self, budget: Budget, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Budget:
        """Creates a budget.

        Args:
            budget: what it is to be.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Returns:
            The budget with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateBudgetRequest(budget=budget)
        response = await self._ask(self._stub.CreateBudget, request, timeout_s, metadata)
        return response.budget

    async def get_budget(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Budget:
        """Gets a budget, `budgets/{budget}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetBudgetRequest(name=name)
        response = await self._ask(self._stub.GetBudget, request, timeout_s, metadata)
        return response.budget

    async def list_budgets(
        self, *, subject: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[Budget]:
        """Lists budgets, oldest first, getting page after page as they are needed.

        Args:
            subject: only those of this subject. Empty: all.
            page_size: the most budgets in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: self._page(
                self._stub.ListBudgets,
                ListBudgetsRequest(subject=subject, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            for budget in page.budgets:
                yield budget

    async def update_budget(
        self, budget: Budget, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Budget:
        """Changes a budget, which its name says.

        Args:
            budget: the fields to set.
            update_mask: which of them. Empty: those that are there.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateBudgetRequest(budget=budget, update_mask=mask(update_mask))
        response = await self._ask(self._stub.UpdateBudget, request, timeout_s, metadata)
        return response.budget

    async def delete_budget(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a budget, `budgets/{budget}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteBudget, DeleteBudgetRequest(name=name), timeout_s, metadata)


class Limits(AdminCalls):
    """Quotas and budgets, from threads. As `AsyncLimits`."""

    def create_quota(self, quota: Quota, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Quota:
        """Creates a quota."""
        request = CreateQuotaRequest(quota=quota)
        response = self._ask(self._stub.CreateQuota, request, timeout_s, metadata)
        return response.quota

    def get_quota(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Quota:
        """Gets a quota, `quotas/{quota}`."""
        request = GetQuotaRequest(name=name)
        response = self._ask(self._stub.GetQuota, request, timeout_s, metadata)
        return response.quota

    def list_quotas(
        self, *, subject: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Iterator[Quota]:
        """Lists quotas, oldest first."""
        for page in pages_sync(
            lambda token: self._page(
                self._stub.ListQuotas,
                ListQuotasRequest(subject=subject, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            yield from page.quotas

    def update_quota(
        self, quota: Quota, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Quota:
        """Changes a quota, which its name says."""
        request = UpdateQuotaRequest(quota=quota, update_mask=mask(update_mask))
        response = self._ask(self._stub.UpdateQuota, request, timeout_s, metadata)
        return response.quota

    def delete_quota(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a quota, `quotas/{quota}`."""
        self._ask(self._stub.DeleteQuota, DeleteQuotaRequest(name=name), timeout_s, metadata)

    def create_budget(self, budget: Budget, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Budget:
        """Creates a budget."""
        request = CreateBudgetRequest(budget=budget)
        response = self._ask(self._stub.CreateBudget, request, timeout_s, metadata)
        return response.budget

    def get_budget(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Budget:
        """Gets a budget, `budgets/{budget}`."""
        request = GetBudgetRequest(name=name)
        response = self._ask(self._stub.GetBudget, request, timeout_s, metadata)
        return response.budget

    def list_budgets(
        self, *, subject: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Iterator[Budget]:
        """Lists budgets, oldest first."""
        for page in pages_sync(
            lambda token: self._page(
                self._stub.ListBudgets,
                ListBudgetsRequest(subject=subject, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            yield from page.budgets

    def update_budget(
        self, budget: Budget, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Budget:
        """Changes a budget, which its name says."""
        request = UpdateBudgetRequest(budget=budget, update_mask=mask(update_mask))
        response = self._ask(self._stub.UpdateBudget, request, timeout_s, metadata)
        return response.budget

    def delete_budget(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a budget, `budgets/{budget}`."""
        self._ask(self._stub.DeleteBudget, DeleteBudgetRequest(name=name), timeout_s, metadata)
