"""The fake gateway's tenants, users, keys, quotas, budgets and prices: kept in lists, the newest last; nobody is refused."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from trunkline.v1 import admin_service_pb2 as admin
from trunkline.v1 import admin_service_pb2_grpc
from trunkline.v1.price_pb2 import Price
from trunkline.v1.tenancy_pb2 import ApiKey, AuditEntry, Budget, Quota, Tenant, User

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
M = TypeVar("M", Tenant, User, ApiKey, Quota, Budget, Price)


class Script(Protocol):
    """What the gateway is to do, and takes down."""

    def call(self, method: str, request: Message, context: Context) -> AbstractAsyncContextManager[None]: ...


class Tenancy(admin_service_pb2_grpc.AdminServiceServicer):
    """Those methods of AdminService."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._kept: dict[str, Message] = {}
        self._changes: list[AuditEntry] = []
        self._keys = 0

    def _create(self, given: M, collection: str, id_: str) -> M:
        made = type(given)()
        made.CopyFrom(given)
        made.name = f"{collection}/{id_ or f'{collection[0]}-{len(self._kept) + 1}'}"
        if isinstance(made, Tenant | User | ApiKey) and not made.HasField("enabled"):
            made.enabled = True
        if isinstance(made, ApiKey):
            made.prefix = "llm_00000000"
            made.tenant = "tenants/acme"
            made.permissions.extend([] if made.permissions else ["completion"])
        self._keep("Create", made)
        return made

    def _update(self, given: M, paths: list[str]) -> M:
        kept = self._kept.get(given.name)
        made = type(given)(name=given.name)
        if isinstance(kept, type(given)):
            made.CopyFrom(kept)
        for path in paths:
            made.ClearField(path)
        made.MergeFrom(given)
        self._keep("Update", made)
        return made

    def _keep(self, verb: str, made: M) -> None:
        self._kept[made.name] = made
        self._changes.append(AuditEntry(name="audit/a-1", action=f"{verb}{type(made).__name__}", resource=made.name))

    def _get(self, name: str, kind: type[M]) -> M:
        kept = self._kept.get(name)
        return kept if isinstance(kept, kind) else kind(name=name)

    def _page(self, kind: type[M], token: str) -> tuple[list[M], str]:
        """One at a time."""
        all_kept = [kept for kept in self._kept.values() if isinstance(kept, kind)]
        begin = int(token or 0)
        return all_kept[begin : begin + 1], str(begin + 1) if begin + 1 < len(all_kept) else ""

    def _new_key(self) -> str:
        self._keys += 1
        return f"llm_00000000-0000-4000-8000-{self._keys:012}"

    async def CreateTenant(self, request: admin.CreateTenantRequest, context: Context) -> admin.CreateTenantResponse:
        async with self._script.call("CreateTenant", request, context):
            made = self._create(request.tenant, "tenants", request.tenant_id)
            return admin.CreateTenantResponse(tenant=made)

    async def GetTenant(self, request: admin.GetTenantRequest, context: Context) -> admin.GetTenantResponse:
        async with self._script.call("GetTenant", request, context):
            return admin.GetTenantResponse(tenant=self._get(request.name, Tenant))

    async def ListTenants(self, request: admin.ListTenantsRequest, context: Context) -> admin.ListTenantsResponse:
        async with self._script.call("ListTenants", request, context):
            listed, token = self._page(Tenant, request.page_token)
            return admin.ListTenantsResponse(tenants=listed, next_page_token=token)

    async def UpdateTenant(self, request: admin.UpdateTenantRequest, context: Context) -> admin.UpdateTenantResponse:
        async with self._script.call("UpdateTenant", request, context):
            made = self._update(request.tenant, list(request.update_mask.paths))
            return admin.UpdateTenantResponse(tenant=made)

    async def DeleteTenant(self, request: admin.DeleteTenantRequest, context: Context) -> admin.DeleteTenantResponse:
        async with self._script.call("DeleteTenant", request, context):
            self._kept.pop(request.name, None)
            return admin.DeleteTenantResponse()

    async def CreateUser(self, request: admin.CreateUserRequest, context: Context) -> admin.CreateUserResponse:
        async with self._script.call("CreateUser", request, context):
            made = self._create(request.user, "users", request.user_id)
            return admin.CreateUserResponse(user=made)

    async def GetUser(self, request: admin.GetUserRequest, context: Context) -> admin.GetUserResponse:
        async with self._script.call("GetUser", request, context):
            return admin.GetUserResponse(user=self._get(request.name, User))

    async def ListUsers(self, request: admin.ListUsersRequest, context: Context) -> admin.ListUsersResponse:
        async with self._script.call("ListUsers", request, context):
            listed, token = self._page(User, request.page_token)
            return admin.ListUsersResponse(users=listed, next_page_token=token)

    async def UpdateUser(self, request: admin.UpdateUserRequest, context: Context) -> admin.UpdateUserResponse:
        async with self._script.call("UpdateUser", request, context):
            made = self._update(request.user, list(request.update_mask.paths))
            return admin.UpdateUserResponse(user=made)

    async def DeleteUser(self, request: admin.DeleteUserRequest, context: Context) -> admin.DeleteUserResponse:
        async with self._script.call("DeleteUser", request, context):
            self._kept.pop(request.name, None)
            return admin.DeleteUserResponse()

    async def CreateApiKey(self, request: admin.CreateApiKeyRequest, context: Context) -> admin.CreateApiKeyResponse:
        async with self._script.call("CreateApiKey", request, context):
            made = self._create(request.api_key, "api_keys", "")
            return admin.CreateApiKeyResponse(api_key=made, key=self._new_key())

    async def GetApiKey(self, request: admin.GetApiKeyRequest, context: Context) -> admin.GetApiKeyResponse:
        async with self._script.call("GetApiKey", request, context):
            return admin.GetApiKeyResponse(api_key=self._get(request.name, ApiKey))

    async def ListApiKeys(self, request: admin.ListApiKeysRequest, context: Context) -> admin.ListApiKeysResponse:
        async with self._script.call("ListApiKeys", request, context):
            listed, token = self._page(ApiKey, request.page_token)
            return admin.ListApiKeysResponse(api_keys=listed, next_page_token=token)

    async def UpdateApiKey(self, request: admin.UpdateApiKeyRequest, context: Context) -> admin.UpdateApiKeyResponse:
        async with self._script.call("UpdateApiKey", request, context):
            made = self._update(request.api_key, list(request.update_mask.paths))
            return admin.UpdateApiKeyResponse(api_key=made)

    async def DeleteApiKey(self, request: admin.DeleteApiKeyRequest, context: Context) -> admin.DeleteApiKeyResponse:
        async with self._script.call("DeleteApiKey", request, context):
            self._kept.pop(request.name, None)
            return admin.DeleteApiKeyResponse()

    async def RotateApiKey(self, request: admin.RotateApiKeyRequest, context: Context) -> admin.RotateApiKeyResponse:
        async with self._script.call("RotateApiKey", request, context):
            return admin.RotateApiKeyResponse(api_key=self._get(request.name, ApiKey), key=self._new_key())

    async def CreateQuota(self, request: admin.CreateQuotaRequest, context: Context) -> admin.CreateQuotaResponse:
        async with self._script.call("CreateQuota", request, context):
            made = self._create(request.quota, "quotas", "")
            return admin.CreateQuotaResponse(quota=made)

    async def GetQuota(self, request: admin.GetQuotaRequest, context: Context) -> admin.GetQuotaResponse:
        async with self._script.call("GetQuota", request, context):
            return admin.GetQuotaResponse(quota=self._get(request.name, Quota))

    async def ListQuotas(self, request: admin.ListQuotasRequest, context: Context) -> admin.ListQuotasResponse:
        async with self._script.call("ListQuotas", request, context):
            listed, token = self._page(Quota, request.page_token)
            return admin.ListQuotasResponse(quotas=listed, next_page_token=token)

    async def UpdateQuota(self, request: admin.UpdateQuotaRequest, context: Context) -> admin.UpdateQuotaResponse:
        async with self._script.call("UpdateQuota", request, context):
            made = self._update(request.quota, list(request.update_mask.paths))
            return admin.UpdateQuotaResponse(quota=made)

    async def DeleteQuota(self, request: admin.DeleteQuotaRequest, context: Context) -> admin.DeleteQuotaResponse:
        async with self._script.call("DeleteQuota", request, context):
            self._kept.pop(request.name, None)
            return admin.DeleteQuotaResponse()

    async def CreateBudget(self, request: admin.CreateBudgetRequest, context: Context) -> admin.CreateBudgetResponse:
        async with self._script.call("CreateBudget", request, context):
            made = self._create(request.budget, "budgets", "")
            return admin.CreateBudgetResponse(budget=made)

    async def GetBudget(self, request: admin.GetBudgetRequest, context: Context) -> admin.GetBudgetResponse:
        async with self._script.call("GetBudget", request, context):
            return admin.GetBudgetResponse(budget=self._get(request.name, Budget))

    async def ListBudgets(self, request: admin.ListBudgetsRequest, context: Context) -> admin.ListBudgetsResponse:
        async with self._script.call("ListBudgets", request, context):
            listed, token = self._page(Budget, request.page_token)
            return admin.ListBudgetsResponse(budgets=listed, next_page_token=token)

    async def UpdateBudget(self, request: admin.UpdateBudgetRequest, context: Context) -> admin.UpdateBudgetResponse:
        async with self._script.call("UpdateBudget", request, context):
            made = self._update(request.budget, list(request.update_mask.paths))
            return admin.UpdateBudgetResponse(budget=made)

    async def DeleteBudget(self, request: admin.DeleteBudgetRequest, context: Context) -> admin.DeleteBudgetResponse:
        async with self._script.call("DeleteBudget", request, context):
            self._kept.pop(request.name, None)
            return admin.DeleteBudgetResponse()

    async def CreatePrice(self, request: admin.CreatePriceRequest, context: Context) -> admin.CreatePriceResponse:
        async with self._script.call("CreatePrice", request, context):
            made = self._create(request.price, "prices", "")
            return admin.CreatePriceResponse(price=made)

    async def GetPrice(self, request: admin.GetPriceRequest, context: Context) -> admin.GetPriceResponse:
        async with self._script.call("GetPrice", request, context):
            return admin.GetPriceResponse(price=self._get(request.name, Price))

    async def ListPrices(self, request: admin.ListPricesRequest, context: Context) -> admin.ListPricesResponse:
        async with self._script.call("ListPrices", request, context):
            listed, token = self._page(Price, request.page_token)
            return admin.ListPricesResponse(prices=listed, next_page_token=token)

    async def DeletePrice(self, request: admin.DeletePriceRequest, context: Context) -> admin.DeletePriceResponse:
        async with self._script.call("DeletePrice", request, context):
            self._kept.pop(request.name, None)
            return admin.DeletePriceResponse()

    async def ListAuditEntries(
        self, request: admin.ListAuditEntriesRequest, context: Context
    ) -> admin.ListAuditEntriesResponse:
        async with self._script.call("ListAuditEntries", request, context):
            listed = [each for each in reversed(self._changes) if request.resource in ("", each.resource)]
            return admin.ListAuditEntriesResponse(audit_entries=listed)
