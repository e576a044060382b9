"""Running the gateway: which configuration is in force. Needs a key with the permission `admin`."""

import grpc

from trunkline.v1.admin_service_pb2 import ConfigStatus, GetConfigStatusRequest
from trunkline.v1.admin_service_pb2_grpc import AdminServiceStub
from trunkline_client.calls import CallDefaults, Metadata, ask, ask_sync


class AsyncAdmin:
    """What operators do.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     status = await client.admin.get_config_status()
    >>> status.status, status.generation
    ('valid', 1)
    """

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        self._stub = AdminServiceStub(channel)
        self._defaults = defaults

    async def get_config_status(self, *, timeout_s: float | None = None, metadata: Metadata = ()) -> ConfigStatus:
        """Tells which configuration is in force, and since when.

        Raises:
            TrunklineError: the call failed.
        """
        request = GetConfigStatusRequest()
        response, _ = await ask(self._stub.GetConfigStatus, request, self._defaults, timeout_s, metadata)
        return response.config_status


class Admin:
    """What operators do, from threads. As `AsyncAdmin`."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        self._stub = AdminServiceStub(channel)
        self._defaults = defaults

    def get_config_status(self, *, timeout_s: float | None = None, metadata: Metadata = ()) -> ConfigStatus:
        """Tells which configuration is in force, and since when."""
        request = GetConfigStatusRequest()
        response, _ = ask_sync(self._stub.GetConfigStatus, request, self._defaults, timeout_s, metadata)
        return response.config_status
