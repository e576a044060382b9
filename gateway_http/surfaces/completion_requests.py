"""`GET /completion_requests`: completions one by one, in the few fields that dashboards of response times read."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import orjson
from google.protobuf.duration_pb2 import Duration
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import invalid
from gateway_http.exchange import App, Exchange, Handler, Json
from gateway_http.response import JsonResponse
from gateway_http.settings import HttpSettings
from trunkline.v1.completion_record_pb2 import CompletionRecord, CompletionStatus
from trunkline_client import AsyncClient

MOST = 1000
"""How many it has at most."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_RUNNING = CompletionStatus.COMPLETION_STATUS_RUNNING
_COMPLETED = CompletionStatus.COMPLETION_STATUS_COMPLETED


def add_completion_requests(app: App, client: Callable[[], AsyncClient], settings: HttpSettings) -> None:
    """Serves the path."""
    handler = _completion_requests(client, settings)
    app.add_route(handler, "/completion_requests", methods=["GET"], name="completion_requests", error_format="json")


def completion_request(record: CompletionRecord) -> Json:
    """A completion: ISO time in UTC without a zone, times in whole milliseconds; what is not known is null."""
    prompt = record.input_tokens if record.HasField("input_tokens") else None
    return {
        "timestamp": record.begin_time.ToDatetime().isoformat(timespec="seconds"),
        "time_to_first_token_ms": _milliseconds(record.time_to_first_token)
        if record.HasField("time_to_first_token")
        else None,
        "time_to_last_token_ms": _milliseconds(record.time_to_last_token) if record.HasField("time_to_last_token") else None,
        "is_streaming": record.streamed,
        "success": record.status == _COMPLETED,
        "message_count": record.message_count,
        "prompt_tokens": prompt,
        "tokens": {
            "total": record.total_tokens if record.HasField("total_tokens") else None,
            "prompt": prompt,
            "completion": record.output_tokens if record.HasField("output_tokens") else None,
        },
    }


def read_time(text: str, param: str) -> datetime:
    """A date or a time as ISO 8601 writes it; UTC's where it has no zone.

    Raises:
        HttpError: it is none, or before 1970.
    """
    try:
        read = datetime.fromisoformat(text)
        time = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        time = None
    if time is None or time < _EPOCH:
        raise invalid(f"`{param}` must be a time in ISO 8601, as 2026-01-31T00:00:00, in 1970 or later.", param)
    return time


async def ended(records: AsyncIterator[CompletionRecord]) -> AsyncIterator[CompletionRecord]:
    """Those that have ended, at most `MOST`."""
    count = 0
    async for record in records:
        if record.status == _RUNNING:
            continue
        yield record
        count += 1
        if count == MOST:
            return


def _completion_requests(client: Callable[[], AsyncClient], settings: HttpSettings) -> Handler:
    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        begin, end = (read_time(request.args[name][-1], name) if name in request.args else None for name in ("start", "end"))
        records = client().metrics.list_completions(
            begin_time=begin, end_time=end, page_size=MOST, timeout_s=exchange.timeout_s, metadata=exchange.metadata
        )
        body = [completion_request(record) async for record in ended(records)]
        return JsonResponse(orjson.dumps(body), {"x-request-id": exchange.request_id})

    return handler


def _milliseconds(duration: Duration) -> int:
    return round(duration.ToMicroseconds() / 1000)
