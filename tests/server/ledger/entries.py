"""Completions for the ledger's tests."""

from dataclasses import dataclass
from pathlib import Path

from server.ledger.entry import Intent, Settlement, Status, Tried
from server.ledger.used import count_tokens
from trunkline.v1.chat_pb2 import InputTokensDetails, OutputTokensDetails, Usage

BEGIN = 1_800_000_000_000_000
"""When the first of them begins, in microseconds since the epoch."""

USAGE = Usage(
    input_tokens=75,
    output_tokens=75,
    input_tokens_details=InputTokensDetails(cached_tokens=5, cache_write_tokens=3),
    output_tokens_details=OutputTokensDetails(reasoning_tokens=7),
)
"""What each of them used."""


@dataclass(slots=True)
class TurnedClock:
    """A clock that stands until it is turned."""

    time_s: float = BEGIN / 1e6

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s


def intent(
    id: str,
    begin_time: int = BEGIN,
    model: str = "gpt-4o",
    tenant_id: str = "acme",
    user_id: str = "ann",
    key_id: str = "key",
    origin: str = "127.0.0.1",
    reserved_micros: int | None = 2000,
    request_body: str | None = None,
    worker: str = "me",
) -> Intent:
    """An intent that holds back 1,000 tokens, and 2,000 millionths unless it is said."""
    return Intent(
        id=id,
        request_id=f"req_{id}",
        worker=worker,
        tenant_id=tenant_id,
        user_id=user_id,
        key_id=key_id,
        operation="chat",
        model=model,
        streamed=True,
        origin=origin,
        message_count=5,
        parameters={"temperature": 0.7, "max_tokens": 100},
        begin_time=begin_time,
        reserved_tokens=1000,
        reserved_micros=reserved_micros,
        request_body=request_body,
    )


def settlement(
    id: str, status: Status = Status.COMPLETED, cost_micros: int | None = 1234, answer_body: str | None = None
) -> Settlement:
    """A settlement after two seconds with 150 tokens."""
    return Settlement(
        id=id,
        status=status,
        end_time=BEGIN + 2_000_000,
        first_chunk_time=BEGIN + 500_000,
        provider="openai",
        provider_model="gpt-4o-2024",
        finish_reason="stop",
        attempts=[Tried("other", "gpt-4o", "overloaded", 503, 0.1), Tried("openai", "gpt-4o-2024", "", 200, 1.9)],
        tokens=count_tokens(USAGE),
        cost_micros=cost_micros,
        answer_body=answer_body,
    )


def contents(file: Path) -> bytes:
    """What of a spool's room is used."""
    return file.read_bytes().rstrip(b"\0")
