"""One completion as it is read from the ledger, and what follows from its times and tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import msgspec
import orjson

from server.ledger.entry import Tried

_ATTEMPTS = msgspec.json.Decoder(tuple[Tried, ...])
_GOOD_TOKENS_PER_SECOND = 50.0
_GOOD_FIRST_TOKEN_S = 0.5
_GOOD_WHOLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion. Times are microseconds since the epoch, money is millionths of a US dollar.

    Attributes:
        state: open, settled or interrupted (its worker died; tokens and cost are estimated).
        status: completed, failed, cancelled or incomplete; empty while open.
        cost_micros: None: the price is not known.
        exact: whether tokens and cost are what the provider said.

    The others are as in `Intent` and `Settlement`.
    """

    id: str
    request_id: str
    state: str
    worker: str
    tenant_id: str
    user_id: str
    key_id: str
    operation: str
    model: str
    streamed: bool
    origin: str
    message_count: int
    parameters: Mapping[str, object]
    begin_time: int
    reserved_tokens: int
    reserved_micros: int | None
    status: str
    error_reason: str
    provider: str
    provider_model: str
    attempts: tuple[Tried, ...]
    finish_reason: str
    first_chunk_time: int | None
    end_time: int | None
    input_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_micros: int | None
    exact: bool
    request_body: str | None = None
    answer_body: str | None = None

    @classmethod
    def read(cls, row: Mapping[str, object]) -> Self:
        """The completion of a row of the table; bodies may be missing."""
        values = dict(row)
        values["parameters"] = orjson.loads(cast(str, row["parameters"]))
        values["attempts"] = _ATTEMPTS.decode(cast(str, row["attempts"]))
        return cls(**cast(dict[str, Any], values))

    @property
    def total_tokens(self) -> int | None:
        """Input and output together; None: neither is known."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def latency_s(self) -> float | None:
        """From begin to end, which is also the time to the last token; None: it is open."""
        return None if self.end_time is None else max(0, self.end_time - self.begin_time) / 1e6

    @property
    def time_to_first_token_s(self) -> float | None:
        """From begin to the first chunk; None: there was none."""
        return None if self.first_chunk_time is None else max(0, self.first_chunk_time - self.begin_time) / 1e6

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens over the latency, the wait for the first one included; None: one of them is not known."""
        if self.output_tokens is None or not self.latency_s:
            return None
        return self.output_tokens / self.latency_s

    @property
    def performance_score(self) -> float | None:
        """How well it went, from 0 to 1: 0 unless it was completed; None while it is open.

        0.6 * speed + 0.4 * promptness. Speed is tokens per second over 50; promptness is 0.5 s over the time to the first
        token, without a first chunk 2 s over the latency; neither counts for more than 1. Without output tokens, as for
        embeddings, promptness is all.
        """
        if self.end_time is None:
            return None
        if self.status != "completed":
            return 0.0
        first, whole = self.time_to_first_token_s, self.latency_s or 0.0
        taken, good = (whole, _GOOD_WHOLE_S) if first is None else (first, _GOOD_FIRST_TOKEN_S)
        prompt = min(1.0, good / taken) if taken else 1.0
        if not self.output_tokens:
            return prompt
        rate = self.tokens_per_second
        speed = 1.0 if rate is None else min(1.0, rate / _GOOD_TOKENS_PER_SECOND)
        return 0.6 * speed + 0.4 * prompt
