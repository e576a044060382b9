"""What a completion used and cost: told of each batch as it goes out, and asked at the end.

A stream that broke, or whose caller left, counts by its provider's policy; so does each attempt that had begun to answer and
was given up for another one.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from server.dispatch.attempt import Attempt
from server.dispatch.bodies import answer_text, told_text
from server.dispatch.books import Books
from server.dispatch.row_values import find_finish_reason, find_service_tier
from server.dispatch.told import Told
from server.ledger.billing import Billing, broken_usage
from server.ledger.cost import cost_micros
from server.ledger.entry import Tokens
from server.ledger.estimate import estimate
from server.ledger.used import add_tokens, count_tokens
from server.providers.base import Ask, Batch
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Usage
from trunkline.v1.completion_service_pb2 import CreateImagesResponse


class Charge(msgspec.Struct, gc=False):
    """What a completion is charged for.

    Attributes:
        tokens: what it used; None: nothing.
        micros: what that cost, millionths of a US dollar; None: the price of something is not known.
        known_micros: what of it cost something that is known.
        exact: whether that is what the providers said.
    """

    tokens: Tokens | None = None
    micros: int | None = 0
    known_micros: int = 0
    exact: bool = True


class _Lost(msgspec.Struct, gc=False):
    """An attempt that had begun to answer and was given up for another one.

    Attributes:
        attempt: the attempt.
        usage: what its provider told of it; None: nothing.
        said_bytes: of text, in UTF-8.
    """

    attempt: Attempt
    usage: Usage | None
    said_bytes: int


class Consumption:
    """What one completion uses.

    Args:
        books: what all accounts share.
        ask: the request.
        told: what the caller has of a stream; None: it is none.

    Attributes:
        first_chunk_time: when the first batch went out, microseconds since the epoch; None: none did.
        tier: the service tier that the request asks for.
    """

    __slots__ = (
        "_ask",
        "_body",
        "_books",
        "_finishing",
        "_images",
        "_lost",
        "_mending",
        "_read_to_end",
        "_told",
        "_usage",
        "first_chunk_time",
        "tier",
    )

    def __init__(self, books: Books, ask: Ask, told: Told | None) -> None:
        self._books = books
        self._ask = ask
        self._told = told
        self._usage: Usage | None = None
        self._images = 0
        self._lost: Sequence[_Lost] = ()
        self._mending: Callable[[], int] | None = None
        self._finishing: list[Batch] = []
        self._body: str | None = None
        self._read_to_end = False
        self.first_chunk_time: int | None = None
        self.tier = ask.request.service_tier if isinstance(ask.request, ChatCompletionRequest) else ""

    def batch(self, batch: Batch, usage: Usage | None) -> None:
        """A batch goes out to the caller, with the usage that it brought."""
        if self.first_chunk_time is None:
            self.first_chunk_time = self._books.now()
        if self._books.bodies and not self._ask.streamed:
            self._body = answer_text(batch)
        if usage is not None:
            self._usage = usage
        elif not self._ask.streamed:  # what it said is what it is charged for, then
            self._told = Told()
            self._told.add(batch)
        if getattr(batch, "finishing", False):
            self._finishing.append(batch)
        if isinstance(batch, CreateImagesResponse):
            self._images = len(batch.images.data)
            self._usage = Usage(
                input_tokens=batch.images.usage.input_tokens,
                output_tokens=batch.images.usage.output_tokens,
                total_tokens=batch.images.usage.total_tokens,
                extra_json=batch.images.usage.extra_json,
            )

    def lose(self, attempt: Attempt, said_bytes: int) -> None:
        """An attempt that had begun to answer is given up for another one.

        Args:
            attempt: the attempt.
            said_bytes: how much text it said, in UTF-8.
        """
        self._lost = *self._lost, _Lost(attempt, self._usage, said_bytes)
        self._usage = None

    def mended(self, said_bytes: Callable[[], int]) -> None:
        """Another attempt goes on in the place of one that was given up.

        Args:
            said_bytes: tells how much text it has said, in UTF-8.
        """
        self._mending = said_bytes

    def read_to_end(self, usage: Usage | None) -> None:
        """A stream that its caller left was read to its end, which told a usage; None: it was not."""
        self._usage = usage
        self._read_to_end = usage is not None

    def told_cost(self, attempt: Attempt | None, at: int) -> int | None:
        """What that cost which was told, in millionths of a US dollar; None: nothing was, or the price is not known.

        Args:
            attempt: who answered; None: nobody.
            at: the time, microseconds since the epoch.
        """
        return None if attempt is None or self._usage is None else self._cost(attempt, self._usage, at)

    def charge(self, attempt: Attempt | None, whole: bool, at: int) -> Charge:
        """What all of it is charged for.

        Args:
            attempt: who answered last; None: nobody.
            whole: whether the answer is.
            at: the time, microseconds since the epoch.
        """
        charge = Charge()
        if attempt is not None and self.first_chunk_time is not None:
            if whole and self._usage is not None:
                self._add(charge, attempt, self._usage, True, at)
            elif whole:  # a provider that tells no usage
                self._add(charge, attempt, *broken_usage(Billing.ESTIMATE, None, self._said_bytes(), self._input()), at)
            elif not any(lost.attempt is attempt for lost in self._lost):
                broken = self._broken(attempt, self._usage, self._said_bytes(), self._read_to_end)
                self._add(charge, attempt, *broken, at)
        for lost in self._lost:
            self._add(charge, lost.attempt, *self._broken(lost.attempt, lost.usage, lost.said_bytes, False), at)
        return charge

    def finish_reason(self) -> str:
        """The last that was told; empty: none was."""
        return _last(find_finish_reason, self._finishing)

    def answer_body(self) -> str | None:
        """The answer as JSON, as far as the caller has it; None: it cannot be followed."""
        answer = self._told.answer() if self._told is not None and self._body is None else None
        return self._body if answer is None else told_text(answer)

    def _add(self, charge: Charge, attempt: Attempt, usage: Usage | None, exact: bool, at: int) -> None:
        charge.exact = charge.exact and exact
        if usage is not None:
            cost = self._cost(attempt, usage, at)
            charge.micros = None if cost is None or charge.micros is None else charge.micros + cost
            charge.known_micros += cost or 0
            charge.tokens = add_tokens(charge.tokens, count_tokens(usage))

    def _cost(self, attempt: Attempt, usage: Usage, at: int) -> int | None:
        """What an attempt cost, in millionths of a US dollar; None: the price is not known."""
        target = attempt.target
        tier = _last(find_service_tier, self._finishing) or self.tier
        price = self._books.prices.price(target.settings, target.model, at, tier)
        by_hour = price is not None and price.hour
        return cost_micros(usage, price, Decimal(repr(attempt.latency_s)) if by_hour else 0, self._images)

    def _broken(
        self, attempt: Attempt, usage: Usage | None, said_bytes: int, read_to_end: bool
    ) -> tuple[Usage | None, bool]:
        """What an attempt used that broke or was left, by its provider's policy, and whether that is exact."""
        policy = Billing(attempt.target.settings.broken_stream_billing)
        if policy is Billing.READ_TO_END and not read_to_end:
            policy = Billing.ESTIMATE
        return broken_usage(policy, usage, said_bytes, self._input())

    def _said_bytes(self) -> int:
        """How much text the attempt has said that answers now."""
        if self._mending is not None:
            return self._mending()
        return 0 if self._told is None else self._told.byte_count

    def _input(self) -> int:
        return estimate(self._ask.request).input_tokens


def _last(find: Callable[[Batch], str], batches: Sequence[Batch]) -> str:
    """What the last of batches says that says it; empty: none does."""
    for batch in reversed(batches):
        if told := find(batch):
            return told
    return ""
