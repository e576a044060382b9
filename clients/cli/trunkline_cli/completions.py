"""`trunkline completions`: what is written down of completions, one by one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, cast

import typer

from trunkline.v1.completion_record_pb2 import CompletionAttempt, CompletionRecord, CompletionStatus, CostBasis
from trunkline.v1.models_service_pb2 import Operation
from trunkline_cli.operations import Asked
from trunkline_cli.options import MostOption, OfTenantOption
from trunkline_cli.records import Group, Kind, full_name, id_of, when
from trunkline_client import Client


class Status(StrEnum):
    """How a completion ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"


KIND: Kind[CompletionRecord] = Kind(
    "completion_records",
    "completion",
    columns={
        "TIME": lambda each: when(each, "begin_time"),
        "COMPLETION": lambda each: id_of(each.name),
        "KEY": lambda each: each.api_key,
        "MODEL": lambda each: each.model,
        "PROVIDER": lambda each: each.provider or "-",
        "STATUS": lambda each: _status(each),
        "TOKENS": lambda each: str(each.total_tokens) if each.HasField("total_tokens") else "-",
        "SECONDS": lambda each: _seconds(each, "time_to_last_token"),
        "USD": lambda each: _usd(each),
    },
    rows={
        "completion": lambda each: each.name,
        "request": lambda each: each.request_id,
        "tenant": lambda each: each.tenant or "-",
        "user": lambda each: each.user or "-",
        "key": lambda each: each.api_key,
        "from": lambda each: each.origin,
        "operation": lambda each: Operation.Name(each.operation).removeprefix("OPERATION_").lower(),
        "model": lambda each: each.model,
        "streamed": lambda each: "yes" if each.streamed else "no",
        "messages": lambda each: str(each.message_count),
        "parameters": lambda each: ", ".join(f"{name} {_parameter(each, name)}" for name in sorted(each.parameters)) or "-",
        "began": lambda each: when(each, "begin_time"),
        "ended": lambda each: when(each, "end_time"),
        "first token": lambda each: _seconds(each, "time_to_first_token"),
        "last token": lambda each: _seconds(each, "time_to_last_token"),
        "status": lambda each: _status(each),
        "error": lambda each: each.error_reason or "-",
        "finished by": lambda each: each.finish_reason or "-",
        "provider": lambda each: each.provider or "-",
        "its model": lambda each: each.provider_model or "-",
        "tokens": lambda each: _tokens(each),
        "tokens/second": lambda each: f"{each.tokens_per_second:.1f}" if each.HasField("tokens_per_second") else "-",
        "score": lambda each: f"{each.performance_score:.2f}" if each.HasField("performance_score") else "-",
        "usd": lambda each: _usd(each),
    },
    more=lambda each: _more(each),
)
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since", envvar="TRUNKLINE_SINCE", help="Only those that began then or later, in UTC.", show_default=False
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option("--until", envvar="TRUNKLINE_UNTIL", help="Only those that began before, in UTC.", show_default=False),
]
OfUserOption = Annotated[
    str, typer.Option("--user", envvar="TRUNKLINE_USER", help="Only those of this user.", show_default=False)
]
OfKeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="TRUNKLINE_KEY",
        help="Only those of this key: api_keys/ID, or the name of a key of the configuration.",
        show_default=False,
    ),
]
OfModelOption = Annotated[
    str,
    typer.Option("--model", envvar="TRUNKLINE_MODEL", help="Only those that were asked of this model.", show_default=False),
]
OfProviderOption = Annotated[
    str,
    typer.Option(
        "--provider", envvar="TRUNKLINE_PROVIDER", help="Only those that this provider answered.", show_default=False
    ),
]
StatusOption = Annotated[
    Status | None,
    typer.Option("--status", envvar="TRUNKLINE_STATUS", help="Only those that ended so.", show_default=False),
]
OperationOption = Annotated[
    Asked | None,
    typer.Option("--operation", envvar="TRUNKLINE_OPERATION", help="Only those of this operation.", show_default=False),
]
RequestOption = Annotated[
    str,
    typer.Option(
        "--request", envvar="TRUNKLINE_REQUEST", help="Only those of the request with this id.", show_default=False
    ),
]


def list_(
    client: Client,
    since: SinceOption = None,
    until: UntilOption = None,
    tenant: OfTenantOption = "",
    user: OfUserOption = "",
    key: OfKeyOption = "",
    model: OfModelOption = "",
    provider: OfProviderOption = "",
    status: StatusOption = None,
    operation: OperationOption = None,
    request: RequestOption = "",
    most: MostOption = 100,
) -> Iterable[CompletionRecord]:
    """List completions, newest first."""
    listed = client.metrics.list_completions(
        begin_time=since,
        end_time=until,
        tenant=full_name("tenants", tenant),
        user=full_name("users", user),
        api_key=key,
        model=model,
        provider=provider,
        status=None
        if status is None
        else cast(CompletionStatus, CompletionStatus.Value(f"COMPLETION_STATUS_{status.name}")),
        operation=None if operation is None else operation.operation,
        request_id=request,
        page_size=min(most, 1000),
    )
    return islice(listed, most or None)


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "What is written down of completions: who asked, who answered, tokens, times and cost.")
    group.many("list", list_)
    group.change(
        "show",
        lambda client, name: client.metrics.get_completion(name),
        "Show a completion, with who was tried; to administrators the texts of request and answer, too, where kept.",
    )
    return group.app


def _status(record: CompletionRecord) -> str:
    return CompletionStatus.Name(record.status).removeprefix("COMPLETION_STATUS_").lower()


def _seconds(record: CompletionRecord, field: str) -> str:
    return f"{getattr(record, field).ToMicroseconds() / 1e6:.3f}" if record.HasField(field) else "-"


def _usd(record: CompletionRecord) -> str:
    """Its cost, with `~` before an estimate."""
    if not record.HasField("cost_usd_micros"):
        return "-" if record.status == CompletionStatus.COMPLETION_STATUS_RUNNING else "unknown"
    estimated = record.cost_basis == CostBasis.COST_BASIS_ESTIMATED
    return f"{'~' if estimated else ''}{record.cost_usd_micros / 1e6:.6f}"


def _parameter(record: CompletionRecord, name: str) -> str:
    value = record.parameters[name]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _tokens(record: CompletionRecord) -> str:
    names = ("input", "cached_input", "cache_write", "output", "reasoning", "total")
    known = [name for name in names if record.HasField(f"{name}_tokens")]
    return ", ".join(f"{name.replace('_', ' ')} {getattr(record, f'{name}_tokens')}" for name in known) or "-"


def _attempt(attempt: CompletionAttempt) -> str:
    status = f" ({attempt.http_status})" if attempt.HasField("http_status") else ""
    seconds = f"{attempt.latency.ToMicroseconds() / 1e6:.3f}"
    return f"{attempt.provider} {attempt.model}: {attempt.error_type or 'answered'}{status}, {seconds} s"


def _more(record: CompletionRecord) -> Mapping[str, str]:
    attempts = {f"attempt {number}": _attempt(attempt) for number, attempt in enumerate(record.attempts, 1)}
    bodies = {"request text": record.request_body, "answer text": record.answer_body}
    return attempts | {heading: body for heading, body in bodies.items() if body}
