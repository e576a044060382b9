"""What the ledger is told of a completion: what is about to be done, and what came of it. Values, nothing else.

Every completion needs them, so they are msgspec's structures, which are made in a tenth of a frozen dataclass's time. They
go to the ledger's files as arrays that begin with the tag, whose number is that of the fields' order: whoever changes that
changes the tag, and has `lines` read the old one still; likewise whoever adds a status. What has a default may be added at
the end.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

MODEL_SIZE = 200
"""So much of a model's name a row has. Anybody may ask for any, so of this there should be no more before either."""


class Status(StrEnum):
    """How a completion ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    """Before its first chunk."""
    CANCELLED = "cancelled"
    """Its caller left."""
    INCOMPLETE = "incomplete"
    """After its first chunk."""


class Intent(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="intent2"):
    """A completion that is about to be asked for.

    Attributes:
        id: unique for ever; several requests may have one request id.
        request_id: the call's.
        worker: the ledger's, in whose process it is open.
        tenant_id: the caller's, likewise `user_id` and `key_id`.
        operation: chat, text, embeddings, images or videos.
        model: as asked for.
        streamed: whether the caller asked for a stream.
        origin: the caller's address.
        message_count: of a conversation; 0 elsewhere.
        parameters: what was set: temperature, max_tokens...
        begin_time: microseconds since the epoch.
        reserved_tokens: what limits hold back for it.
        reserved_micros: likewise, in millionths of a US dollar; None: the price is not known.
        request_body: the request as JSON; None: it is not to be kept.
    """

    id: str
    request_id: str
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
    reserved_tokens: int = 0
    reserved_micros: int | None = 0
    request_body: str | None = None


class Tried(msgspec.Struct, frozen=True, gc=False):
    """One attempt.

    Attributes:
        provider: the provider's name.
        model: what it was sent as the model.
        error: the fault's type, or that it was ended before it answered; empty: it answered.
        status: the HTTP status; None: there was none.
        latency_s: from its begin to its end.
    """

    provider: str
    model: str
    error: str = ""
    status: int | None = None
    latency_s: float = 0.0


class Tokens(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What was used, as far as it can be; `count_tokens` makes it.

    Attributes:
        input: all of the input.
        cached: of that, read from the provider's cache.
        cache_write: of that, written to it.
        output: all of the output.
        reasoning: of that, reasoning.
    """

    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int


class Settlement(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="settlement2"):
    """What came of a completion.

    Attributes:
        id: the intent's.
        status: how it ended.
        end_time: microseconds since the epoch.
        first_chunk_time: likewise; None: there was none.
        provider: who answered; empty: nobody.
        provider_model: what that one was sent as the model.
        error_reason: the reason's name in lower case; empty: none.
        finish_reason: empty: none came.
        attempts: all of them, in order.
        tokens: what was used; None: nothing was.
        cost_micros: what it cost, millionths of a US dollar; None: the price is not known.
        exact: whether tokens and cost are what the provider said, and no estimate.
        answer_body: the answer as JSON; None: it is not to be kept.
    """

    id: str
    status: Status
    end_time: int
    first_chunk_time: int | None = None
    provider: str = ""
    provider_model: str = ""
    error_reason: str = ""
    finish_reason: str = ""
    attempts: Sequence[Tried] = ()
    tokens: Tokens | None = None
    cost_micros: int | None = None
    exact: bool = True
    answer_body: str | None = None


class Whole(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="whole2"):
    """A completion that was over before it was written."""

    intent: Intent
    settlement: Settlement


Entry = Intent | Settlement | Whole
