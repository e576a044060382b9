"""What a completion is allowed, and what comes of it: limits and ledger, asked before and told after.

An account is opened before the first attempt: what the request may use is held back, and the intent is in the ledger. It is
closed when all is known, which is before the caller has the last of the answer. Its cost is told in the trailers.
"""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from decimal import Decimal

import structlog

from server.call import Call
from server.clock import Clock
from server.config.provider_settings import ProviderSettings
from server.dispatch.attempt import Attempt
from server.dispatch.bodies import answer_text, request_text, told_text
from server.dispatch.failure import Failure
from server.dispatch.router import Target
from server.dispatch.row_values import find_finish_reason, find_parameters, find_service_tier, tell_attempts
from server.dispatch.told import Told
from server.errors import GatewayError
from server.ledger.billing import Billing, broken_usage
from server.ledger.cost import cost_micros
from server.ledger.entry import Intent, Settlement, Status, Tokens
from server.ledger.estimate import estimate, estimate_micros
from server.ledger.ledger import Ledger
from server.ledger.prices import Prices
from server.ledger.used import count_tokens
from server.limits.limits import Limits, Reservation
from server.limits.request import Request
from server.providers.base import Ask, Batch
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Usage
from trunkline.v1.completion_service_pb2 import CreateImagesResponse

ORIGIN = "x-trunkline-origin"
"""The metadata key by which the front tells the caller's address. Anybody may send it: it is noted, never relied on."""

_MICROS = 1_000_000


class Accounts:
    """Opens an account for each completion.

    Args:
        limits: what callers may use.
        ledger: where every completion is written; None: nowhere.
        prices: what models cost.
        clock: tells the time.
        bodies: whether requests and answers are kept in the ledger.

    Attributes:
        ledger: as given; likewise `prices` and `bodies`.
        stopped: whether what still runs is cut off, as the gateway stops.
    """

    def __init__(self, limits: Limits, ledger: Ledger | None, prices: Prices, clock: Clock, bodies: bool = False) -> None:
        self._limits = limits
        self.ledger = ledger
        self.prices = prices
        self._clock = clock
        self.bodies = bodies and ledger is not None
        self.stopped = False
        self._closing: set[asyncio.Task[None]] = set()

    async def open(
        self, ask: Ask, call: Call, target: Target, tried: Sequence[Attempt | Failure], told: Told | None
    ) -> "Account":
        """Holds back what a request may use, and writes its intent.

        Args:
            ask: the request.
            call: its call.
            target: who is asked first, whose price counts.
            tried: the attempts; it grows.
            told: what the caller has of a stream; None: it is none.

        Raises:
            GatewayError: RATE_LIMITED, QUOTA_EXCEEDED, BUDGET_EXCEEDED.
        """
        begin_time = self.now()
        if self.ledger is None and self._limits.idle:
            return Account(self, ask, call, tried, told, None, begin_time)
        expected = estimate(ask.request)
        tokens = expected.tokens
        price = self.prices.price(target.settings, target.model, begin_time, _wanted_tier(ask))
        micros = estimate_micros(expected, price)
        request = Request(call.caller, ask.operation, "", ask.model, tokens, micros or 0, begin_time)
        reservation = await self._limits.reserve(request)
        account = Account(self, ask, call, tried, told, reservation, begin_time)
        if self.ledger is not None:
            try:
                await self.ledger.intent(account.intent(self.ledger.worker, tokens, micros))
            except asyncio.CancelledError:  # it is written all the same
                account.leave(None)
                raise
            except BaseException:
                self.later(reservation.release())
                raise
        return account

    async def claim(self, provider: ProviderSettings) -> float | None:
        """Claims an attempt of a provider's own rate. None: it may be made; else in how many seconds it may."""
        return await self._limits.claim_provider(provider)

    def now(self) -> int:
        """Microseconds since the epoch."""
        return int(self._clock.now() * _MICROS)

    def later(self, closing: Coroutine[object, object, None]) -> None:
        """Closes an account whose caller does not wait for it."""
        task = asyncio.ensure_future(closing)
        self._closing.add(task)
        task.add_done_callback(self._closed)

    async def close(self) -> None:
        """Waits until all accounts are closed."""
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    def _closed(self, task: "asyncio.Task[None]") -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger("trunkline.ledger").error("account_not_closed", exc_info=error)


class Account:
    """One completion's account: told what happens, then closed once.

    Args:
        accounts: whose it is.
        ask: the request.
        call: its call.
        tried: the attempts; it grows.
        told: what the caller has of a stream; None: it is none.
        reservation: what limits hold back; None: nothing is limited, and nothing is written down.
        begin_time: microseconds since the epoch.
    """

    __slots__ = (
        "_accounts",
        "_ask",
        "_begin_time",
        "_body",
        "_call",
        "_finish_reason",
        "_first_chunk_time",
        "_id",
        "_images",
        "_open",
        "_read_to_end",
        "_reservation",
        "_tier",
        "_told",
        "_tried",
        "_usage",
    )

    def __init__(
        self,
        accounts: Accounts,
        ask: Ask,
        call: Call,
        tried: Sequence[Attempt | Failure],
        told: Told | None,
        reservation: Reservation | None,
        begin_time: int,
    ) -> None:
        self._accounts = accounts
        self._ask = ask
        self._call = call
        self._tried = tried
        self._told = told
        self._reservation = reservation
        self._begin_time = begin_time
        self._id = ""
        self._first_chunk_time: int | None = None
        self._usage: Usage | None = None
        self._images = 0
        self._body: str | None = None
        self._finish_reason = ""
        self._tier = _wanted_tier(ask)
        self._open = True
        self._read_to_end = False

    def headers(self) -> Sequence[tuple[str, str]]:
        """What a caller is told of its rates, as metadata."""
        told = None if self._reservation is None else self._reservation.headers
        if told is None:
            return ()
        limit, remaining, reset = told
        return (
            ("x-ratelimit-limit", str(limit)),
            ("x-ratelimit-remaining", str(remaining)),
            ("x-ratelimit-reset", str(reset)),
        )

    def intent(self, worker: str, tokens: int, micros: int | None) -> Intent:
        """Names the completion, and tells what is about to be done."""
        ask, call = self._ask, self._call
        request, caller = ask.request, call.caller
        origin = call.metadata.get(ORIGIN)
        self._id = f"{self._begin_time:014x}{random.getrandbits(72):018x}"  # by time: rows go to one end of the index
        return Intent(
            id=self._id,
            request_id=call.request_id,
            worker=worker,
            tenant_id=caller.tenant_id,
            user_id=caller.user_id,
            key_id=caller.key_id or caller.name,
            operation=ask.operation,
            model=ask.model,
            streamed=ask.streamed,
            origin=origin if isinstance(origin, str) else call.context.peer(),
            message_count=len(request.messages) if isinstance(request, ChatCompletionRequest) else 0,
            parameters=find_parameters(request),
            begin_time=self._begin_time,
            reserved_tokens=tokens,
            reserved_micros=micros,
            request_body=request_text(ask) if self._accounts.bodies else None,
        )

    def batch(self, batch: Batch, usage: Usage | None) -> None:
        """A batch goes out to the caller, with the usage that it brought."""
        if self._first_chunk_time is None:
            self._first_chunk_time = self._accounts.now()
        if self._accounts.bodies and not self._ask.streamed:
            self._body = answer_text(batch)
        if usage is not None:
            self._usage = usage
        elif not self._ask.streamed:  # what it said is what it is charged for, then
            self._told = Told()
            self._told.add(batch)
        if getattr(batch, "finishing", False):
            self._tier = find_service_tier(batch) or self._tier
            if self._accounts.ledger is not None:
                self._finish_reason = find_finish_reason(batch) or self._finish_reason
        if isinstance(batch, CreateImagesResponse):
            self._images = len(batch.images.data)
            self._usage = Usage(
                input_tokens=batch.images.usage.input_tokens,
                output_tokens=batch.images.usage.output_tokens,
                total_tokens=batch.images.usage.total_tokens,
                extra_json=batch.images.usage.extra_json,
            )

    async def complete(self, attempt: Attempt) -> None:
        """The answer is whole: has it kept where it may be asked for again, and closes the account.

        In this order: an answer that is paid for is never lost, whenever the process dies.
        """
        await self._close(Status.COMPLETED, "", attempt)

    async def fail(self, error: Exception, attempt: Attempt | None) -> None:
        """The call ends with an error."""
        status = Status.FAILED if self._first_chunk_time is None else Status.INCOMPLETE
        reason = error.reason_name if isinstance(error, GatewayError) else "internal"
        await self._close(status, reason, attempt)

    def leave(self, attempt: Attempt | None) -> None:
        """The call is cut off, if the account is still open: closes it without anybody waiting.

        Its caller left, or its deadline passed, or the gateway stops.
        """
        if not self._open:
            return
        status, reason = Status.CANCELLED, self._call.why_cut_off(self._accounts.stopped)
        if reason:
            status = Status.FAILED if self._first_chunk_time is None else Status.INCOMPLETE
        if attempt is not None and attempt.reading_on is not None:
            attempt.reading_on.wanted = True
        self._accounts.later(self._close_later(status, reason, attempt))

    async def _close_later(self, status: Status, reason: str, attempt: Attempt | None) -> None:
        """Closes the account, when the answer was read to its end where the provider charges for that."""
        if attempt is not None and attempt.reading_on is not None:
            self._usage = await attempt.reading_on.usage()
            self._read_to_end = self._usage is not None
        await self._close(status, reason, attempt)

    async def _close(self, status: Status, reason: str, attempt: Attempt | None) -> None:
        if not self._open:
            return
        self._open = False
        end_time = self._accounts.now()
        usage, exact = self._used(status, attempt)
        cost: int | None = 0
        if usage is not None and attempt is not None:
            cost = self._cost(attempt, usage, end_time)
        if cost is not None and usage is not None:
            self._call.trailers.append(("trunkline-cost-usd-micros", str(cost)))
            self._call.notes["cost_usd_micros"] = cost
        if status is Status.COMPLETED and self._call.keep is not None:
            try:
                await self._call.keep()
            except BaseException:
                self._open = True
                raise
        tokens = None if usage is None or self._reservation is None else count_tokens(usage)
        try:
            if self._accounts.ledger is not None:
                settlement = self._settlement(status, reason, end_time, attempt, tokens, cost, exact)
                await self._accounts.ledger.settle(settlement)
        finally:
            if self._reservation is not None:
                await self._reservation.settle(0 if tokens is None else tokens.input + tokens.output, cost or 0)

    def _cost(self, attempt: Attempt, usage: Usage, at: int) -> int | None:
        """What the answer cost, in millionths of a US dollar; None: the price is not known."""
        target = attempt.target
        price = self._accounts.prices.price(target.settings, target.model, at, self._tier)
        by_hour = price is not None and price.hour
        return cost_micros(usage, price, Decimal(repr(attempt.latency_s)) if by_hour else 0, self._images)

    def _settlement(
        self,
        status: Status,
        reason: str,
        end_time: int,
        attempt: Attempt | None,
        tokens: Tokens | None,
        cost: int | None,
        exact: bool,
    ) -> Settlement:
        return Settlement(
            id=self._id,
            status=status,
            end_time=end_time,
            first_chunk_time=self._first_chunk_time,
            provider=attempt.target.settings.name if attempt is not None else "",
            provider_model=attempt.target.model if attempt is not None else "",
            error_reason=reason,
            finish_reason=self._finish_reason,
            attempts=tell_attempts(self._tried),
            tokens=tokens,
            cost_micros=cost,
            exact=exact,
            answer_body=self._answer_body() if self._accounts.bodies else None,
        )

    def _answer_body(self) -> str | None:
        answer = self._told.answer() if self._told is not None and self._body is None else None
        return self._body if answer is None else told_text(answer)

    def _used(self, status: Status, attempt: Attempt | None) -> tuple[Usage | None, bool]:
        """What was used, and whether that is what the provider said."""
        if attempt is None or self._first_chunk_time is None:
            return None, True
        if self._reservation is None or (status is Status.COMPLETED and self._usage is not None):
            return self._usage, True  # where nothing is booked, nothing is estimated
        told_bytes = 0 if self._told is None else self._told.byte_count
        policy = Billing(attempt.target.settings.broken_stream_billing)
        if policy is Billing.READ_TO_END and not self._read_to_end:
            policy = Billing.ESTIMATE
        input_tokens = estimate(self._ask.request).input_tokens
        if status is Status.COMPLETED:  # a provider that tells no usage
            return broken_usage(Billing.ESTIMATE, None, told_bytes, input_tokens)
        return broken_usage(policy, self._usage, told_bytes, input_tokens)


def _wanted_tier(ask: Ask) -> str:
    """The tier that a request asks for, which serves it unless the provider says otherwise."""
    return ask.request.service_tier if isinstance(ask.request, ChatCompletionRequest) else ""
