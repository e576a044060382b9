"""Completions as the ledger has them -> the contract's records."""

from collections.abc import Mapping

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from server.ledger.entry import Status, Tried
from server.ledger.row import Completion
from server.services.times import duration, timestamp
from trunkline.v1.completion_record_pb2 import CompletionAttempt, CompletionRecord, CompletionStatus, CostBasis
from trunkline.v1.models_service_pb2 import Operation

RUNNING = ""
"""A row's status while it is open."""

STATUSES: Mapping[str, CompletionStatus] = {
    RUNNING: CompletionStatus.COMPLETION_STATUS_RUNNING,
    Status.COMPLETED: CompletionStatus.COMPLETION_STATUS_COMPLETED,
    Status.FAILED: CompletionStatus.COMPLETION_STATUS_FAILED,
    Status.CANCELLED: CompletionStatus.COMPLETION_STATUS_CANCELLED,
    Status.INCOMPLETE: CompletionStatus.COMPLETION_STATUS_INCOMPLETE,
}
OPERATIONS: Mapping[str, Operation] = {
    "chat": Operation.OPERATION_CHAT,
    "text": Operation.OPERATION_TEXT,
    "embeddings": Operation.OPERATION_EMBEDDINGS,
    "images": Operation.OPERATION_IMAGES,
    "videos": Operation.OPERATION_VIDEOS,
}


def record_message(completion: Completion) -> CompletionRecord:
    """A completion, with those bodies that it came with."""
    first, end = completion.first_chunk_time, completion.end_time
    to_first, to_last = completion.time_to_first_token_s, completion.latency_s
    return CompletionRecord(
        name=f"completion_records/{completion.id}",
        request_id=completion.request_id,
        tenant=_name("tenants", completion.tenant_id),
        user=_name("users", completion.user_id),
        api_key=f"api_keys/{completion.key_id}" if completion.tenant_id else completion.key_id,
        operation=OPERATIONS.get(completion.operation),
        model=completion.model,
        streamed=completion.streamed,
        origin=completion.origin,
        message_count=completion.message_count,
        parameters=json_format.ParseDict(dict(completion.parameters), Struct()),
        begin_time=timestamp(completion.begin_time),
        first_chunk_time=None if first is None else timestamp(first),
        end_time=None if end is None else timestamp(end),
        time_to_first_token=None if to_first is None else duration(to_first),
        time_to_last_token=None if to_last is None else duration(to_last),
        status=STATUSES.get(completion.status),
        error_reason=completion.error_reason,
        finish_reason=completion.finish_reason,
        provider=completion.provider,
        provider_model=completion.provider_model,
        attempts=[_attempt(tried) for tried in completion.attempts],
        input_tokens=completion.input_tokens,
        cached_input_tokens=completion.cached_tokens,
        cache_write_tokens=completion.cache_write_tokens,
        output_tokens=completion.output_tokens,
        reasoning_tokens=completion.reasoning_tokens,
        total_tokens=completion.total_tokens,
        tokens_per_second=completion.tokens_per_second,
        performance_score=completion.performance_score,
        cost_usd_micros=completion.cost_micros,
        cost_basis=_basis(completion),
        request_body=completion.request_body,
        answer_body=completion.answer_body,
    )


def _basis(completion: Completion) -> CostBasis:
    if completion.end_time is None:
        return CostBasis.COST_BASIS_UNSPECIFIED
    if completion.cost_micros is None:
        return CostBasis.COST_BASIS_UNKNOWN
    return CostBasis.COST_BASIS_EXACT if completion.exact else CostBasis.COST_BASIS_ESTIMATED


def _attempt(tried: Tried) -> CompletionAttempt:
    return CompletionAttempt(
        provider=tried.provider,
        model=tried.model,
        error_type=tried.error,
        http_status=tried.status,
        latency=duration(tried.latency_s),
    )


def _name(collection: str, id_: str) -> str:
    return f"{collection}/{id_}" if id_ else ""
