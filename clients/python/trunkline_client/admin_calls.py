"""What the parts of `client.admin` share: the service, and how it is called."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TypedDict, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from trunkline.v1.admin_service_pb2_grpc import AdminServiceStub
from trunkline_client.calls import CallDefaults, Metadata, Page, ask, ask_sync, pages, pages_sync


class Options(TypedDict, total=False):
    """How a call is made.

    Attributes:
        timeout_s: from the call to its deadline, of each page where there are pages. None: the client's.
        metadata: sent along, in addition to the client's.
    """

    timeout_s: float | None
    metadata: Metadata


Q = TypeVar("Q", bound=Message)
R = TypeVar("R")
P = TypeVar("P", bound=Page)
T = TypeVar("T")


class AsyncAdminCalls:
    """Calls of AdminService. Each takes `Options`."""

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        self._stub = AdminServiceStub(channel)
        self._defaults = defaults

    async def _ask(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, options: Options) -> R:
        response, _ = await ask(method, request, self._defaults, *_how(**options))
        return response

    async def _all(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, P],
        request: Q,
        of: Callable[[P], Iterable[T]],
        options: Options,
    ) -> AsyncIterator[T]:
        """What `of` finds in page after page, each got when it is needed."""
        how = _how(**options)
        async for page in pages(lambda token: ask(method, _at(request, token), self._defaults, *how)):
            for each in of(page):
                yield each


class AdminCalls:
    """Calls of AdminService, from threads. Each takes `Options`."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        self._stub = AdminServiceStub(channel)
        self._defaults = defaults

    def _ask(self, method: "grpc.UnaryUnaryMultiCallable[Q, R]", request: Q, options: Options) -> R:
        response, _ = ask_sync(method, request, self._defaults, *_how(**options))
        return response

    def _all(
        self,
        method: "grpc.UnaryUnaryMultiCallable[Q, P]",
        request: Q,
        of: Callable[[P], Iterable[T]],
        options: Options,
    ) -> Iterator[T]:
        """What `of` finds in page after page, each got when it is needed."""
        how = _how(**options)
        for page in pages_sync(lambda token: ask_sync(method, _at(request, token), self._defaults, *how)):
            yield from of(page)


def _how(timeout_s: float | None = None, metadata: Metadata = ()) -> tuple[float | None, Metadata]:
    return timeout_s, metadata


def _at(request: Q, page_token: str) -> Q:
    """The request for one of its pages."""
    paged = type(request)()
    paged.CopyFrom(request)
    paged.MergeFrom(type(request)(page_token=page_token))
    return paged


def mask(paths: Sequence[str]) -> FieldMask | None:
    """A mask of these fields; None for none: those that are there are meant."""
    return FieldMask(paths=paths) if paths else None


def duration(seconds: float) -> Duration:
    """A span of time."""
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made
