"""AdminService: tenants, their users and keys, and who changed what."""

from server.call import Call
from server.caller import COMPLETION
from server.services import admin_fields as fields
from server.services.admin_messages import api_key_message, audit_message, tenant_message, user_message
from server.storage.tables import API_KEYS, USERS
from server.tenancy.pages import Page
from server.tenancy.tenancy import Tenancy
from server.tenancy.who import Who, read_name
from trunkline.v1.admin_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    CreateTenantRequest,
    CreateTenantResponse,
    CreateUserRequest,
    CreateUserResponse,
    DeleteApiKeyRequest,
    DeleteApiKeyResponse,
    DeleteTenantRequest,
    DeleteTenantResponse,
    DeleteUserRequest,
    DeleteUserResponse,
    GetApiKeyRequest,
    GetApiKeyResponse,
    GetTenantRequest,
    GetTenantResponse,
    GetUserRequest,
    GetUserResponse,
    ListApiKeysRequest,
    ListApiKeysResponse,
    ListAuditEntriesRequest,
    ListAuditEntriesResponse,
    ListTenantsRequest,
    ListTenantsResponse,
    ListUsersRequest,
    ListUsersResponse,
    RotateApiKeyRequest,
    RotateApiKeyResponse,
    UpdateApiKeyRequest,
    UpdateApiKeyResponse,
    UpdateTenantRequest,
    UpdateTenantResponse,
    UpdateUserRequest,
    UpdateUserResponse,
)


class TenancyAdmin:
    """The part of AdminService that is about who may call.

    Args:
        tenancy: what there is of it.
    """

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def CreateTenant(self, request: CreateTenantRequest, call: Call) -> CreateTenantResponse:
        """Creates a tenant."""
        fields.require(request, "tenant")
        who, given = Who.of(call), request.tenant
        name = fields.text(given.display_name, "display_name")
        tenant = await self._tenancy.tenants.create(who, name, request.tenant_id, fields.enabled(given))
        return CreateTenantResponse(tenant=tenant_message(tenant))

    async def GetTenant(self, request: GetTenantRequest, call: Call) -> GetTenantResponse:
        """Gets a tenant."""
        id_ = read_name(request.name, "tenants")
        return GetTenantResponse(tenant=tenant_message(await self._tenancy.tenants.get(Who.of(call), id_)))

    async def ListTenants(self, request: ListTenantsRequest, call: Call) -> ListTenantsResponse:
        """Lists tenants."""
        page = Page.read(request.page_size, request.page_token)
        listed, token = await self._tenancy.tenants.page(Who.of(call), page)
        return ListTenantsResponse(tenants=[tenant_message(each) for each in listed], next_page_token=token)

    async def UpdateTenant(self, request: UpdateTenantRequest, call: Call) -> UpdateTenantResponse:
        """Changes a tenant."""
        id_ = read_name(request.tenant.name, "tenants")
        changes = fields.changes(request.tenant, request.update_mask, fields.TENANT)
        return UpdateTenantResponse(tenant=tenant_message(await self._tenancy.tenants.update(Who.of(call), id_, changes)))

    async def DeleteTenant(self, request: DeleteTenantRequest, call: Call) -> DeleteTenantResponse:
        """Deletes a tenant."""
        await self._tenancy.tenants.delete(Who.of(call), read_name(request.name, "tenants"))
        return DeleteTenantResponse()

    async def CreateUser(self, request: CreateUserRequest, call: Call) -> CreateUserResponse:
        """Creates a user."""
        fields.require(request, "user")
        who, given = Who.of(call), request.user
        tenant = who.tenant_id if who.tenant_id and not given.tenant else read_name(given.tenant, "tenants", "tenant")
        name = fields.text(given.display_name, "display_name")
        user = await self._tenancy.users.create(who, tenant, name, request.user_id, fields.enabled(given))
        return CreateUserResponse(user=user_message(user))

    async def GetUser(self, request: GetUserRequest, call: Call) -> GetUserResponse:
        """Gets a user."""
        id_ = read_name(request.name, "users")
        return GetUserResponse(user=user_message(await self._tenancy.users.get(Who.of(call), id_)))

    async def ListUsers(self, request: ListUsersRequest, call: Call) -> ListUsersResponse:
        """Lists users."""
        page = Page.read(request.page_size, request.page_token)
        wanted = [USERS.c.tenant_id == read_name(request.tenant, "tenants", "tenant")] if request.tenant else []
        listed, token = await self._tenancy.users.page(Who.of(call), page, *wanted)
        return ListUsersResponse(users=[user_message(each) for each in listed], next_page_token=token)

    async def UpdateUser(self, request: UpdateUserRequest, call: Call) -> UpdateUserResponse:
        """Changes a user."""
        id_ = read_name(request.user.name, "users")
        changes = fields.changes(request.user, request.update_mask, fields.USER)
        return UpdateUserResponse(user=user_message(await self._tenancy.users.update(Who.of(call), id_, changes)))

    async def DeleteUser(self, request: DeleteUserRequest, call: Call) -> DeleteUserResponse:
        """Deletes a user."""
        await self._tenancy.users.delete(Who.of(call), read_name(request.name, "users"))
        return DeleteUserResponse()

    async def CreateApiKey(self, request: CreateApiKeyRequest, call: Call) -> CreateApiKeyResponse:
        """Creates a key."""
        who, given = Who.of(call), request.api_key
        key, plain = await self._tenancy.api_keys.create(
            who,
            read_name(given.user, "users", "user"),
            fields.text(given.display_name, "display_name"),
            fields.permissions(given.permissions or (COMPLETION,)),
            fields.model_patterns(given.allowed_models),
            fields.provider_patterns(given.allowed_providers),
            fields.enabled(given),
            fields.expire_time(given),
        )
        return CreateApiKeyResponse(api_key=api_key_message(key), key=plain)

    async def GetApiKey(self, request: GetApiKeyRequest, call: Call) -> GetApiKeyResponse:
        """Gets a key."""
        id_ = read_name(request.name, "api_keys")
        return GetApiKeyResponse(api_key=api_key_message(await self._tenancy.api_keys.get(Who.of(call), id_)))

    async def ListApiKeys(self, request: ListApiKeysRequest, call: Call) -> ListApiKeysResponse:
        """Lists keys."""
        page = Page.read(request.page_size, request.page_token)
        wanted = []
        if request.tenant:
            wanted.append(API_KEYS.c.tenant_id == read_name(request.tenant, "tenants", "tenant"))
        if request.user:
            wanted.append(API_KEYS.c.user_id == read_name(request.user, "users", "user"))
        listed, token = await self._tenancy.api_keys.page(Who.of(call), page, *wanted)
        return ListApiKeysResponse(api_keys=[api_key_message(each) for each in listed], next_page_token=token)

    async def UpdateApiKey(self, request: UpdateApiKeyRequest, call: Call) -> UpdateApiKeyResponse:
        """Changes a key."""
        id_ = read_name(request.api_key.name, "api_keys")
        changes = fields.changes(request.api_key, request.update_mask, fields.API_KEY)
        return UpdateApiKeyResponse(api_key=api_key_message(await self._tenancy.api_keys.update(Who.of(call), id_, changes)))

    async def DeleteApiKey(self, request: DeleteApiKeyRequest, call: Call) -> DeleteApiKeyResponse:
        """Deletes a key."""
        await self._tenancy.api_keys.delete(Who.of(call), read_name(request.name, "api_keys"))
        return DeleteApiKeyResponse()

    async def RotateApiKey(self, request: RotateApiKeyRequest, call: Call) -> RotateApiKeyResponse:
        """Replaces a key by a new one of the same name."""
        id_ = read_name(request.name, "api_keys")
        key, plain = await self._tenancy.api_keys.rotate(Who.of(call), id_, fields.overlap(request.overlap))
        return RotateApiKeyResponse(api_key=api_key_message(key), key=plain)

    async def ListAuditEntries(self, request: ListAuditEntriesRequest, call: Call) -> ListAuditEntriesResponse:
        """Lists changes, newest first."""
        page = Page.read(request.page_size, request.page_token)
        resource, actor = fields.filter_text(request.resource, "resource"), fields.filter_text(request.actor, "actor")
        listed, token = await self._tenancy.audit.page(Who.of(call), page, resource, actor)
        return ListAuditEntriesResponse(audit_entries=[audit_message(each) for each in listed], next_page_token=token)
