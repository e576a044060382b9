"""The keys that let callers in."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Unpack

from trunkline.v1.admin_service_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    DeleteApiKeyRequest,
    GetApiKeyRequest,
    ListApiKeysRequest,
    RotateApiKeyRequest,
    RotateApiKeyResponse,
    UpdateApiKeyRequest,
)
from trunkline.v1.tenancy_pb2 import ApiKey
from trunkline_client.admin_calls import AdminCalls, AsyncAdminCalls, duration, mask
from trunkline_client.calls import Options


class AsyncApiKeys(AsyncAdminCalls):
    """Keys, for those whose key has the permission `admin`.

    A new key comes once, and no call gets it again:

    >>> from trunkline.v1.tenancy_pb2 import ApiKey
    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     created = await client.admin.create_api_key(ApiKey(user="users/ada", allowed_models=["gpt-*"]))
    ...     rotated = await client.admin.rotate_api_key(created.api_key.name, overlap_s=3600)
    >>> created.key
    'llm_00000000-0000-4000-8000-000000000001'
    >>> rotated.key, rotated.api_key.name == created.api_key.name
    ('llm_00000000-0000-4000-8000-000000000002', True)
    """

    async def create_api_key(self, api_key: ApiKey, **options: Unpack[Options]) -> CreateApiKeyResponse:
        """Creates a key.

        Args:
            api_key: what it is to be.

        Returns:
            What is known of it, and in `key` the key itself, which nobody can be told again.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault.
        """
        request = CreateApiKeyRequest(api_key=api_key)
        return await self._ask(self._stub.CreateApiKey, request, options)

    async def get_api_key(self, name: str, **options: Unpack[Options]) -> ApiKey:
        """Gets a key, `api_keys/{api_key}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetApiKeyRequest(name=name)
        return (await self._ask(self._stub.GetApiKey, request, options)).api_key

    def list_api_keys(
        self, *, tenant: str = "", user: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> AsyncIterator[ApiKey]:
        """Lists keys, oldest first, getting page after page as they are needed.

        Args:
            tenant: only the keys of `tenants/{tenant}`. Empty: all.
            user: only the keys of `users/{user}`. Empty: all.
            page_size: the most keys in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListApiKeysRequest(tenant=tenant, user=user, page_size=page_size)
        return self._all(self._stub.ListApiKeys, request, lambda page: page.api_keys, options)

    async def update_api_key(
        self, api_key: ApiKey, *, update_mask: Sequence[str] = (), **options: Unpack[Options]
    ) -> ApiKey:
        """Changes a key, which its name says.

        Args:
            api_key: the fields to set.
            update_mask: which of them. Empty: those that are there.

        Raises:
            TrunklineError: the call failed; `InvalidRequestError` with the field at fault, `NotFoundError`.
        """
        request = UpdateApiKeyRequest(api_key=api_key, update_mask=mask(update_mask))
        return (await self._ask(self._stub.UpdateApiKey, request, options)).api_key

    async def delete_api_key(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a key, `api_keys/{api_key}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        await self._ask(self._stub.DeleteApiKey, DeleteApiKeyRequest(name=name), options)

    async def rotate_api_key(self, name: str, *, overlap_s: float = 0, **options: Unpack[Options]) -> RotateApiKeyResponse:
        """Replaces a key by a new one of the same name.

        Args:
            name: `api_keys/{api_key}`.
            overlap_s: how long the old key is let in beside the new one.

        Returns:
            What is known of it, and in `key` the key itself, which nobody can be told again.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = RotateApiKeyRequest(name=name, overlap=duration(overlap_s))
        return await self._ask(self._stub.RotateApiKey, request, options)


class ApiKeys(AdminCalls):
    """Keys, from threads. As `AsyncApiKeys`."""

    def create_api_key(self, api_key: ApiKey, **options: Unpack[Options]) -> CreateApiKeyResponse:
        """Creates a key."""
        request = CreateApiKeyRequest(api_key=api_key)
        return self._ask(self._stub.CreateApiKey, request, options)

    def get_api_key(self, name: str, **options: Unpack[Options]) -> ApiKey:
        """Gets a key, `api_keys/{api_key}`."""
        request = GetApiKeyRequest(name=name)
        return self._ask(self._stub.GetApiKey, request, options).api_key

    def list_api_keys(
        self, *, tenant: str = "", user: str = "", page_size: int = 0, **options: Unpack[Options]
    ) -> Iterator[ApiKey]:
        """Lists keys, oldest first."""
        request = ListApiKeysRequest(tenant=tenant, user=user, page_size=page_size)
        return self._all(self._stub.ListApiKeys, request, lambda page: page.api_keys, options)

    def update_api_key(self, api_key: ApiKey, *, update_mask: Sequence[str] = (), **options: Unpack[Options]) -> ApiKey:
        """Changes a key, which its name says."""
        request = UpdateApiKeyRequest(api_key=api_key, update_mask=mask(update_mask))
        return self._ask(self._stub.UpdateApiKey, request, options).api_key

    def delete_api_key(self, name: str, **options: Unpack[Options]) -> None:
        """Deletes a key, `api_keys/{api_key}`."""
        self._ask(self._stub.DeleteApiKey, DeleteApiKeyRequest(name=name), options)

    def rotate_api_key(self, name: str, *, overlap_s: float = 0, **options: Unpack[Options]) -> RotateApiKeyResponse:
        """Replaces a key by a new one of the same name."""
        request = RotateApiKeyRequest(name=name, overlap=duration(overlap_s))
        return self._ask(self._stub.RotateApiKey, request, options)
