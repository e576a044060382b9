"""What the parts of `client.admin` share: the service, and what its requests are made of."""

from collections.abc import Sequence

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from trunkline.v1.admin_service_pb2_grpc import AdminServiceStub
from trunkline_client.calls import AsyncCalls, CallDefaults, Calls


class AsyncAdminCalls(AsyncCalls):
    """Calls of AdminService."""

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = AdminServiceStub(channel)


class AdminCalls(Calls):
    """Calls of AdminService, from threads."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = AdminServiceStub(channel)


def mask(paths: Sequence[str]) -> FieldMask | None:
    """A mask of these fields; None for none: those that are there are meant."""
    return FieldMask(paths=paths) if paths else None


def duration(seconds: float) -> Duration:
    """A span of time."""
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made
