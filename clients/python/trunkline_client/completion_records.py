"""What is written down of completions. Needs a key with the permission `metrics:read` or `admin`."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import TypedDict, Unpack

import grpc

from trunkline.v1.completion_record_pb2 import CompletionRecord, CompletionStatus
from trunkline.v1.metrics_service_pb2 import GetCompletionRequest, ListCompletionsRequest
from trunkline.v1.metrics_service_pb2_grpc import MetricsServiceStub
from trunkline.v1.models_service_pb2 import Operation
from trunkline_client.calls import AsyncCalls, CallDefaults, Calls, Metadata, Options


class CompletionFilters(TypedDict, total=False):
    """Which completions are meant: those that fit all of what is given. None and empty: any.

    Attributes:
        begin_time: those that began then or later; a time without a zone is UTC's.
        end_time: those that began before.
        tenant: those of `tenants/{tenant}`.
        user: those of `users/{user}`.
        api_key: those of `api_keys/{api_key}`, or of the key of the configuration that has this name.
        model: those that were asked of this model.
        provider: those that this provider answered.
        status: those that ended so.
        operation: those of this operation.
        request_id: those of the request with this id.
    """

    begin_time: datetime | None
    end_time: datetime | None
    tenant: str
    user: str
    api_key: str
    model: str
    provider: str
    status: CompletionStatus | None
    operation: Operation | None
    request_id: str


class AsyncCompletionRecords(AsyncCalls):
    """The part of `client.metrics` that is about single completions.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     async for record in client.metrics.list_completions(model="echo"):
    ...         print(record.name, record.model)
    completion_records/2 echo
    completion_records/1 echo
    """

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = MetricsServiceStub(channel)

    def list_completions(
        self,
        *,
        page_size: int = 0,
        timeout_s: float | None = None,
        metadata: Metadata = (),
        **filters: Unpack[CompletionFilters],
    ) -> AsyncIterator[CompletionRecord]:
        """Lists completions, newest first, getting page after page as they are needed.

        Args:
            page_size: the most completions in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.
            filters: which completions; see there.

        Raises:
            TrunklineError: a call failed; `InvalidRequestError` with the filter at fault.
        """
        request = ListCompletionsRequest(page_size=page_size, **filters)
        options = Options(timeout_s=timeout_s, metadata=metadata)
        return self._all(self._stub.ListCompletions, request, lambda page: page.completion_records, options)

    async def get_completion(self, name: str, **options: Unpack[Options]) -> CompletionRecord:
        """Gets a completion, `completion_records/{completion_record}`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is none that the client's key may see.
        """
        request = GetCompletionRequest(name=name)
        return (await self._ask(self._stub.GetCompletion, request, options)).completion_record


class CompletionRecords(Calls):
    """The part of `client.metrics` that is about single completions, from threads. As `AsyncCompletionRecords`."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = MetricsServiceStub(channel)

    def list_completions(
        self,
        *,
        page_size: int = 0,
        timeout_s: float | None = None,
        metadata: Metadata = (),
        **filters: Unpack[CompletionFilters],
    ) -> Iterator[CompletionRecord]:
        """Lists completions, newest first."""
        request = ListCompletionsRequest(page_size=page_size, **filters)
        options = Options(timeout_s=timeout_s, metadata=metadata)
        return self._all(self._stub.ListCompletions, request, lambda page: page.completion_records, options)

    def get_completion(self, name: str, **options: Unpack[Options]) -> CompletionRecord:
        """Gets a completion, `completion_records/{completion_record}`."""
        request = GetCompletionRequest(name=name)
        return self._ask(self._stub.GetCompletion, request, options).completion_record
