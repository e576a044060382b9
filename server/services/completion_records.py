"""MetricsService: what is written down of completions."""

import re

from server.call import Call
from server.caller import ADMIN
from server.errors import invalid_request
from server.ledger.rows import Place, Rows, Wanted
from server.services import admin_fields as fields
from server.services.completion_messages import OPERATIONS, STATUSES, record_message
from server.tenancy.failing import failing
from server.tenancy.pages import Page, token_of
from server.tenancy.who import not_found, read_name
from trunkline.v1.completion_record_pb2 import CompletionStatus
from trunkline.v1.metrics_service_pb2 import (
    GetCompletionRequest,
    GetCompletionResponse,
    ListCompletionsRequest,
    ListCompletionsResponse,
)
from trunkline.v1.models_service_pb2 import Operation

_COLLECTION = "completion_records"
_NAME = re.compile(rf"{_COLLECTION}/([a-z0-9-]{{1,64}})")
_STORED_KEYS = "api_keys"
_STATUSES = {number: status for status, number in STATUSES.items()}
_OPERATIONS = {number: operation for operation, number in OPERATIONS.items()}


class CompletionRecords:
    """The part of MetricsService that is about single completions.

    Args:
        rows: the ledger's.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def ListCompletions(self, request: ListCompletionsRequest, call: Call) -> ListCompletionsResponse:
        """Lists completions, newest first."""
        page = Page.read(request.page_size, request.page_token)
        own = call.caller.tenant_id
        wanted = _wanted(request, own)
        if own and wanted.tenant_id != own:
            return ListCompletionsResponse()
        with failing():
            found = await self._rows.list(wanted, page.size, None if page.after is None else Place(*page.after))
        token = "" if found.next is None else token_of(found.next.begin_time, found.next.id)
        records = [record_message(completion) for completion in found.completions]
        return ListCompletionsResponse(completion_records=records, next_page_token=token)

    async def GetCompletion(self, request: GetCompletionRequest, call: Call) -> GetCompletionResponse:
        """Gets a completion, with its bodies for those who may see them."""
        name = _NAME.fullmatch(request.name)
        if name is None:
            raise invalid_request(f"`name` must be `{_COLLECTION}/{{completion_record}}`.", "name")
        caller = call.caller
        with failing():
            found = await self._rows.find(name[1], caller.tenant_id or None, bodies=ADMIN in caller.permissions)
        if found is None:
            raise not_found(_COLLECTION, name[1])
        return GetCompletionResponse(completion_record=record_message(found))


def _wanted(request: ListCompletionsRequest, own_tenant: str) -> Wanted:
    """Which completions are asked for, by somebody of a tenant or of none."""
    key = request.api_key
    stored = key.startswith(f"{_STORED_KEYS}/")
    return Wanted(
        begin=fields.time(request.begin_time, "begin_time") if request.HasField("begin_time") else None,
        end=fields.time(request.end_time, "end_time") if request.HasField("end_time") else None,
        tenant_id=read_name(request.tenant, "tenants", "tenant") if request.tenant else own_tenant or None,
        user_id=read_name(request.user, "users", "user") if request.user else None,
        key_id=(read_name(key, _STORED_KEYS, "api_key") if stored else fields.filter_text(key, "api_key")) or None,
        configured=not stored if key else None,
        request_id=fields.filter_text(request.request_id, "request_id") or None,
        model=fields.filter_text(request.model, "model") or None,
        provider=fields.filter_text(request.provider, "provider") or None,
        status=_status(request.status),
        operation=_operation(request.operation) if request.HasField("operation") else None,
    )


def _status(given: CompletionStatus) -> str | None:
    if given == CompletionStatus.COMPLETION_STATUS_UNSPECIFIED:
        return None
    if given not in _STATUSES:
        raise invalid_request("`status` is none that this server knows.", "status")
    return _STATUSES[given]


def _operation(given: Operation) -> str:
    if given == Operation.OPERATION_UNSPECIFIED:
        given = Operation.OPERATION_CHAT
    if given not in _OPERATIONS:
        raise invalid_request("`operation` is none that this server knows.", "operation")
    return _OPERATIONS[given]
