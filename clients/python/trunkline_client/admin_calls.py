"""What the parts of `client.admin` share: the service, and how it is called."""

from collections.abc import Sequence
from typing import TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from trunkline.v1.admin_service_pb2_grpc import AdminServiceStub
from trunkline_client.calls import CallDefaults, Metadata, ask, ask_sync

Q = TypeVar("Q")
R = TypeVar("R")


class AsyncAdminCalls:
    """Calls of AdminService."""

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        self._stub = AdminServiceStub(channel)
        self._defaults = defaults

    async def _ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        timeout_s: float | None,
        metadata: Metadata,
    ) -> R:
        response, _ = await self._page(method, request, timeout_s, metadata)
        return response

    async def _page(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        timeout_s: float | None,
        metadata: Metadata,
    ) -> tuple[R, object]:
        return await ask(method, request, self._defaults, timeout_s, metadata)


class AdminCalls:
    """Calls of AdminService, from threads."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        self._stub = AdminServiceStub(channel)
        self._defaults = defaults

    def _ask(
        self, method: "grpc.UnaryUnaryMultiCallable[Q, R]", request: Q, timeout_s: float | None, metadata: Metadata
    ) -> R:
        response, _ = self._page(method, request, timeout_s, metadata)
        return response

    def _page(
        self, method: "grpc.UnaryUnaryMultiCallable[Q, R]", request: Q, timeout_s: float | None, metadata: Metadata
    ) -> tuple[R, object]:
        return ask_sync(method, request, self._defaults, timeout_s, metadata)


def mask(paths: Sequence[str]) -> FieldMask | None:
    """A mask of these fields; None for none: those that are there are meant."""
    return FieldMask(paths=paths) if paths else None


def duration(seconds: float) -> Duration:
    """A span of time."""
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made
