"""Who may call: tenants and their users, and who changed what of them."""

from collections.abc import AsyncIterator, Iterator, Sequence

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
from trunkline_client.calls import Metadata, pages, pages_sync


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

    async def create_tenant(
        self, tenant: Tenant, *, tenant_id: str = "", timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Tenant:
        """Creates a tenant.

        Args:
            tenant: what it is to be.
            tenant_id: what to call it. Empty: one is made.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Returns:
            The tenant with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateTenantRequest(tenant=tenant, tenant_id=tenant_id)
        response = await self._ask(self._stub.CreateTenant, request, timeout_s, metadata)
        return response.tenant

    async def get_tenant(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Tenant:
        """Gets a tenant, `tenants/{tenant}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetTenantRequest(name=name)
        response = await self._ask(self._stub.GetTenant, request, timeout_s, metadata)
        return response.tenant

    async def list_tenants(
        self, *, page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[Tenant]:
        """Lists tenants, oldest first, getting page after page as they are needed.

        Args:
            page_size: the most tenants in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: self._page(
                self._stub.ListTenants, ListTenantsRequest(page_size=page_size, page_token=token), timeout_s, metadata
            )
        ):
            for tenant in page.tenants:
                yield tenant

    async def update_tenant(
        self, tenant: Tenant, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Tenant:
        """Changes a tenant, which its name says.

        Args:
            tenant: the fields to set.
            update_mask: which of them. Empty: those that are there.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateTenantRequest(tenant=tenant, update_mask=mask(update_mask))
        response = await self._ask(self._stub.UpdateTenant, request, timeout_s, metadata)
        return response.tenant

    async def delete_tenant(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a tenant, `tenants/{tenant}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteTenant, DeleteTenantRequest(name=name), timeout_s, metadata)

    async def create_user(
        self, user: User, *, user_id: str = "", timeout_s: float | None = None, metadata: Metadata = ()
    ) -> User:
        """Creates a user.

        Args:
            user: what it is to be.
            user_id: what to call it. Empty: one is made.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Returns:
            The user with its name and its times.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateUserRequest(user=user, user_id=user_id)
        response = await self._ask(self._stub.CreateUser, request, timeout_s, metadata)
        return response.user

    async def get_user(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> User:
        """Gets a user, `users/{user}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetUserRequest(name=name)
        response = await self._ask(self._stub.GetUser, request, timeout_s, metadata)
        return response.user

    async def list_users(
        self, *, tenant: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[User]:
        """Lists users, oldest first, getting page after page as they are needed.

        Args:
            tenant: only the users of `tenants/{tenant}`. Empty: all.
            page_size: the most users in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: self._page(
                self._stub.ListUsers,
                ListUsersRequest(tenant=tenant, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            for user in page.users:
                yield user

    async def update_user(
        self, user: User, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> User:
        """Changes a user, which its name says.

        Args:
            user: the fields to set.
            update_mask: which of them. Empty: those that are there.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateUserRequest(user=user, update_mask=mask(update_mask))
        response = await self._ask(self._stub.UpdateUser, request, timeout_s, metadata)
        return response.user

    async def delete_user(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a user, `users/{user}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteUser, DeleteUserRequest(name=name), timeout_s, metadata)

    async def list_audit_entries(
        self,
        *,
        resource: str = "",
        actor: str = "",
        page_size: int = 0,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> AsyncIterator[AuditEntry]:
        """Lists who changed what of tenants, users, keys, quotas and budgets, newest first.

        Args:
            resource: only changes of the resource of this name. Empty: of all.
            actor: only changes by this actor. Empty: by anybody.
            page_size: the most changes in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: self._page(
                self._stub.ListAuditEntries,
                ListAuditEntriesRequest(resource=resource, actor=actor, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            for entry in page.audit_entries:
                yield entry


class Tenants(AdminCalls):
    """Tenants and their users, from threads. As `AsyncTenants`."""

    def create_tenant(
        self, tenant: Tenant, *, tenant_id: str = "", timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Tenant:
        """Creates a tenant."""
        request = CreateTenantRequest(tenant=tenant, tenant_id=tenant_id)
        response = self._ask(self._stub.CreateTenant, request, timeout_s, metadata)
        return response.tenant

    def get_tenant(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Tenant:
        """Gets a tenant, `tenants/{tenant}`."""
        request = GetTenantRequest(name=name)
        response = self._ask(self._stub.GetTenant, request, timeout_s, metadata)
        return response.tenant

    def list_tenants(
        self, *, page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Iterator[Tenant]:
        """Lists tenants, oldest first."""
        for page in pages_sync(
            lambda token: self._page(
                self._stub.ListTenants, ListTenantsRequest(page_size=page_size, page_token=token), timeout_s, metadata
            )
        ):
            yield from page.tenants

    def update_tenant(
        self, tenant: Tenant, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Tenant:
        """Changes a tenant, which its name says."""
        request = UpdateTenantRequest(tenant=tenant, update_mask=mask(update_mask))
        response = self._ask(self._stub.UpdateTenant, request, timeout_s, metadata)
        return response.tenant

    def delete_tenant(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a tenant, `tenants/{tenant}`."""
        self._ask(self._stub.DeleteTenant, DeleteTenantRequest(name=name), timeout_s, metadata)

    def create_user(self, user: User, *, user_id: str = "", timeout_s: float | None = None, metadata: Metadata = ()) -> User:
        """Creates a user."""
        request = CreateUserRequest(user=user, user_id=user_id)
        response = self._ask(self._stub.CreateUser, request, timeout_s, metadata)
        return response.user

    def get_user(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> User:
        """Gets a user, `users/{user}`."""
        request = GetUserRequest(name=name)
        response = self._ask(self._stub.GetUser, request, timeout_s, metadata)
        return response.user

    def list_users(
        self, *, tenant: str = "", page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Iterator[User]:
        """Lists users, oldest first."""
        for page in pages_sync(
            lambda token: self._page(
                self._stub.ListUsers,
                ListUsersRequest(tenant=tenant, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            yield from page.users

    def update_user(
        self, user: User, *, update_mask: Sequence[str] = (), timeout_s: float | None = None, metadata: Metadata = ()
    ) -> User:
        """Changes a user, which its name says."""
        request = UpdateUserRequest(user=user, update_mask=mask(update_mask))
        response = self._ask(self._stub.UpdateUser, request, timeout_s, metadata)
        return response.user

    def delete_user(self, name: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Deletes a user, `users/{user}`."""
        self._ask(self._stub.DeleteUser, DeleteUserRequest(name=name), timeout_s, metadata)

    def list_audit_entries(
        self,
        *,
        resource: str = "",
        actor: str = "",
        page_size: int = 0,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Iterator[AuditEntry]:
        """Lists who changed what, newest first."""
        for page in pages_sync(
            lambda token: self._page(
                self._stub.ListAuditEntries,
                ListAuditEntriesRequest(resource=resource, actor=actor, page_size=page_size, page_token=token),
                timeout_s,
                metadata,
            )
        ):
            yield from page.audit_entries
