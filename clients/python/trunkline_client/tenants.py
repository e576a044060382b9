"""Who may call: tenants and their users, and who changed what of them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Unpack

from trunkline.v1.admin_service_pb2 import (
    CreateTenantRequest,
    CreateUserRequest,
    DeleteTenantRequest,
    DeleteUserRequest,
    GetTenantRequest,
    GetUserRequest,
    ListAuditEntriesRequest,
    ListTenantsRequest,
    ListUsersRequest,
    UpdateTenantRequest,
    UpdateUserRequest,
)
from trunkline.v1.tenancy_pb2 import AuditEntry, Tenant, User
from trunkline_client.admin_calls import AdminCalls, AsyncAdminCalls, mask
from trunkline_client.calls import Options


class AsyncTenants(AsyncAdminCalls):
    """Tenants and their users, for those whose key has the permission `admin`.

    >>> from trunkline.v1.tenancy_pb2 import Tenant, User
    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     tenant = await client.admin.create_tenant(Tenant(display_name="Acme"), tenant_id="acme")
    ...     user = await client.admin.create_user(User(tenant=tenant.name, display_name="Ada"), user_id="ada")
    ...     user = await client.admin.update_user(User(name=user.name, enabled=False))
    ...     async for entry in client.admin.list_audit_entries(resource=user.name):
    ...         print(entry.action, entry.resource)
    UpdateUser users/ada
    CreateUser users/ada
    >>> user.enabled
    False
    """

    async def create_tenant(self, tenant: Tenant, *, tenant_id: str = "", **options: Unpack[Options]) -> Tenant:
        """Creates a tenant.

        Args:
            tenant: what it is to be.
            tenant_id: what to call it. Empty: one is made.

        Returns:
            The tenant with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateTenantRequest(tenant=tenant, tenant_id=tenant_id)
        return (await self._ask(self._stub.CreateTenant, request, options)).tenant

    async def get_tenant(self, name: str, **options: Unpack[Options]) -> Tenant:
        """Gets a tenant, `tenants/{tenant}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetTenantRequest(name=name)
        return (await self._ask(self._stub.GetTenant, request, options)).tenant

    def list_tenants(self, *, page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[Tenant]:
        """Lists tenants, oldest first, getting page after page as they are needed.

        Args:
            page_size: the most tenants in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListTenantsRequest(page_size=page_size)
        return self._all(self._stub.ListTenants, request, lambda page: page.tenants, options)

    async def update_tenant(self, tenant: Tenant, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> Tenant:
        """Changes a tenant, which its name says.

        Args:
            tenant: the fields to set.
            update_mask: which of them. Empty: those that are there.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateTenantRequest(tenant=tenant, update_mask=mask(update_mask))
        return (await self._ask(self._stub.UpdateTenant, request, options)).tenant

    async def delete_tenant(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a tenant, `tenants/{tenant}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteTenant, DeleteTenantRequest(name=name), options)

    async def create_user(self, user: User, *, user_id: str = "", **options: Unpack[Options]) -> User:
        """Creates a user.

        Args:
            user: what it is to be.
            user_id: what to call it. Empty: one is made.

        Returns:
            The user with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateUserRequest(user=user, user_id=user_id)
        return (await self._ask(self._stub.CreateUser, request, options)).user

    async def get_user(self, name: str, **options: Unpack[Options]) -> User:
        """Gets a user, `users/{user}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetUserRequest(name=name)
        return (await self._ask(self._stub.GetUser, request, options)).user

    def list_users(self, *, tenant: str = "", page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[User]:
        """Lists users, oldest first, getting page after page as they are needed.

        Args:
            tenant: only the users of `tenants/{tenant}`. Empty: all.
            page_size: the most users in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListUsersRequest(tenant=tenant, page_size=page_size)
        return self._all(self._stub.ListUsers, request, lambda page: page.users, options)

    async def update_user(self, user: User, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> User:
        """Changes a user, which its name says.

        Args:
            user: the fields to set.
            update_mask: which of them. Empty: those that are there.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateUserRequest(user=user, update_mask=mask(update_mask))
        return (await self._ask(self._stub.UpdateUser, request, options)).user

    async def delete_user(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a user, `users/{user}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteUser, DeleteUserRequest(name=name), options)

    def list_audit_entries(
        self, *, resource: str = "", actor: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> AsyncIterator[AuditEntry]:
        """Lists who changed what of tenants, users, keys, quotas and budgets, newest first.

        Args:
            resource: only changes of the resource of this name. Empty: of all.
            actor: only changes by this actor. Empty: by anybody.
            page_size: the most changes in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListAuditEntriesRequest(resource=resource, actor=actor, page_size=page_size)
        return self._all(self._stub.ListAuditEntries, request, lambda page: page.audit_entries, options)


class Tenants(AdminCalls):
    """Tenants and their users, from threads. As `AsyncTenants`."""

    def create_tenant(self, tenant: Tenant, *, tenant_id: str = "", **options: Unpack[Options]) -> Tenant:
        """Creates a tenant."""
        request = CreateTenantRequest(tenant=tenant, tenant_id=tenant_id)
        return self._ask(self._stub.CreateTenant, request, options).tenant

    def get_tenant(self, name: str, **options: Unpack[Options]) -> Tenant:
        """Gets a tenant, `tenants/{tenant}`."""
        request = GetTenantRequest(name=name)
        return self._ask(self._stub.GetTenant, request, options).tenant

    def list_tenants(self, *, page_size: int = 0, **options: Unpack[Options]) -> Iterator[Tenant]:
        """Lists tenants, oldest first."""
        request = ListTenantsRequest(page_size=page_size)
        return self._all(self._stub.ListTenants, request, lambda page: page.tenants, options)

    def update_tenant(self, tenant: Tenant, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> Tenant:
        """Changes a tenant, which its name says."""
        request = UpdateTenantRequest(tenant=tenant, update_mask=mask(update_mask))
        return self._ask(self._stub.UpdateTenant, request, options).tenant

    def delete_tenant(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a tenant, `tenants/{tenant}`."""
        self._ask(self._stub.DeleteTenant, DeleteTenantRequest(name=name), options)

    def create_user(self, user: User, *, user_id: str = "", **options: Unpack[Options]) -> User:
        """Creates a user."""
        request = CreateUserRequest(user=user, user_id=user_id)
        return self._ask(self._stub.CreateUser, request, options).user

    def get_user(self, name: str, **options: Unpack[Options]) -> User:
        """Gets a user, `users/{user}`."""
        request = GetUserRequest(name=name)
        return self._ask(self._stub.GetUser, request, options).user

    def list_users(self, *, tenant: str = "", page_size: int = 0, **options: Unpack[Options]) -> Iterator[User]:
        """Lists users, oldest first."""
        request = ListUsersRequest(tenant=tenant, page_size=page_size)
        return self._all(self._stub.ListUsers, request, lambda page: page.users, options)

    def update_user(self, user: User, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> User:
        """Changes a user, which its name says."""
        request = UpdateUserRequest(user=user, update_mask=mask(update_mask))
        return self._ask(self._stub.UpdateUser, request, options).user

    def delete_user(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a user, `users/{user}`."""
        self._ask(self._stub.DeleteUser, DeleteUserRequest(name=name), options)

    def list_audit_entries(
        self, *, resource: str = "", actor: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> Iterator[AuditEntry]:
        """Lists who changed what, newest first."""
        request = ListAuditEntriesRequest(resource=resource, actor=actor, page_size=page_size)
        return self._all(self._stub.ListAuditEntries, request, lambda page: page.audit_entries, options)
