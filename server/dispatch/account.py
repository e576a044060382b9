"""One completion's account, from what it may use to what it used.

It is opened before the first attempt: what the request may use is held back, and the intent is in the ledger. It is closed
when all is known, which is before the caller has the last of the answer. Its cost is told in the trailers.
"""

import random
from collections.abc import Sequence

import msgspec

from server.call import Call
from server.dispatch.attempt import Attempt
from server.dispatch.bodies import request_text
from server.dispatch.books import Books
from server.dispatch.cohort import Cohort
from server.dispatch.consumption import Charge, Consumption
from server.dispatch.failure import Failure
from server.dispatch.router import Target
from server.dispatch.row_values import find_parameters, tell_attempts
from server.dispatch.told import Told
from server.errors import GatewayError
from server.ledger.entry import MODEL_SIZE, Intent, Settlement, Status
from server.ledger.estimate import estimate, estimate_micros
from server.ledger.ledger import Ledger
from server.limits.limits import Reservation
from server.limits.request import Request
from server.providers.base import Ask
from trunkline.v1.chat_pb2 import ChatCompletionRequest

ORIGIN = "x-trunkline-origin"
"""The metadata key by which the front tells the caller's address. Anybody may send it: it is noted, never relied on."""

_UNKNOWN = 1, 0
"""What is needed of a budget where the price is not known, and what is held back: who has nothing left is refused."""


class _Owed(msgspec.Struct, gc=False):
    """What came of a completion, and is to be told to its row and to limits.

    Attributes:
        settlement: None: there is no row, or it is settled.
        reservation: None: nothing is held back.
        tokens: input and output together.
        micros: what it cost, millionths of a US dollar; 0 where the price is not known.
    """

    settlement: Settlement | None = None
    reservation: Reservation | None = None
    tokens: int = 0
    micros: int = 0


class Account:
    """One completion's account: told what happens, then closed once.

    Args:
        books: what it shares with all others.
        ending: those whose answers are whole.
        ask: the request.
        call: its call.
        target: who is asked first, whose price counts.
        tried: the attempts; it grows.
        told: what the caller has of a stream; None: it is none.
        begin_time: microseconds since the epoch.

    Attributes:
        together: whether it is opened and closed with others, as nothing has to be waited for then.
        consumption: what the completion uses; to be told of each batch.
        asked: what it asked limits for; it has, once `ask` was called.
        intent: what is to be written of its begin, once it is granted what it asked for; None: nothing.
        written: whether its intent is written, or about to be.
        owed: what is not settled yet of its end; None: nothing, or it has not ended.
    """

    __slots__ = (
        "_ask",
        "_attempt",
        "_begin_time",
        "_books",
        "_call",
        "_ending",
        "_id",
        "_micros",
        "_open",
        "_reservation",
        "_target",
        "_tried",
        "asked",
        "consumption",
        "intent",
        "owed",
        "together",
        "written",
    )

    def __init__(
        self,
        books: Books,
        ending: "Cohort[Account]",
        ask: Ask,
        call: Call,
        target: Target,
        tried: Sequence[Attempt | Failure],
        told: Told | None,
        begin_time: int,
    ) -> None:
        self._books = books
        self._ending = ending
        self._ask = ask
        self._call = call
        self._target = target
        self._tried = tried
        self._reservation: Reservation | None = None
        self.intent: Intent | None = None
        self.written = False
        self._attempt: Attempt | None = None
        self.owed: _Owed | None = None
        self.together = False
        self._begin_time = begin_time
        self._id = ""
        self._micros: int | None = None
        self._open = True
        self.consumption = Consumption(books, ask, told)

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

    def ask(self) -> None:
        """Finds what the request may use and cost, by the price of who is asked first."""
        ask, begin_time, target = self._ask, self._begin_time, self._target
        expected = estimate(ask.request)
        price = self._books.prices.price(target.settings, target.model, begin_time, self.consumption.tier)
        known = estimate_micros(expected, price)
        micros, most_micros = known or _UNKNOWN
        self._micros = most_micros if known else None
        self.asked = Request(
            self._call.caller,
            ask.operation,
            "",
            ask.model,
            expected.tokens,
            micros,
            expected.most_tokens,
            most_micros,
            begin_time,
        )

    def grant(self, reservation: Reservation) -> None:
        """Takes what limits granted, and finds what is to be written of its begin."""
        self._reservation = reservation
        ledger = self._books.ledger
        if ledger is not None:
            self.intent = self._intent(ledger, reservation.request)

    async def open(self) -> None:
        """Opens it, as far as it is not yet.

        Raises:
            GatewayError: RATE_LIMITED, QUOTA_EXCEEDED, BUDGET_EXCEEDED; OVERLOADED.
        """
        if self._reservation is None:
            self.ask()
            self.grant(await self._books.limits.reserve(self.asked))
        intent, self.intent, ledger = self.intent, None, self._books.ledger
        if ledger is not None and intent is not None and not self.written:
            self.written = True  # also where nobody waits for it any more
            try:
                await ledger.intent(intent)
            except Exception:
                self.written = False
                raise

    def abandon(self) -> None:
        """Takes back what was opened so far, without anybody waiting."""
        if self.written:
            self.leave(None)
        elif self._reservation is not None:
            self._books.later(self._reservation.release())

    def _intent(self, ledger: Ledger, reserved: Request) -> Intent:
        """Names the completion, and tells what is about to be done."""
        ask, call = self._ask, self._call
        request, caller = ask.request, call.caller
        origin = call.metadata.get(ORIGIN)
        self._id = f"{self._begin_time:014x}{random.getrandbits(72):018x}"  # by time: rows go to one end of the index
        return Intent(
            id=self._id,
            request_id=call.request_id,
            worker=ledger.worker,
            tenant_id=caller.tenant_id,
            user_id=caller.user_id,
            key_id=caller.key_id or caller.name,
            operation=ask.operation,
            model=ask.model[:MODEL_SIZE],
            streamed=ask.streamed,
            origin=origin if isinstance(origin, str) else call.context.peer(),
            message_count=len(request.messages) if isinstance(request, ChatCompletionRequest) else 0,
            parameters=find_parameters(request),
            begin_time=self._begin_time,
            reserved_tokens=reserved.most_tokens,
            reserved_micros=self._micros,
            request_body=request_text(ask) if self._books.bodies else None,
        )

    async def complete(self, attempt: Attempt) -> None:
        """The answer is whole: has it kept where it may be asked for again, and closes the account.

        In this order: an answer that is paid for is never lost, whenever the process dies.
        """
        if not self.together or self._call.keep is not None:
            await self._close(Status.COMPLETED, "", attempt)
        elif self._open:
            self._open, self._attempt = False, attempt
            try:
                await self._ending.join(self)
            except BaseException:
                if self.owed is not None:  # it had ended when its caller left, or ended wrong
                    self._books.later(self.settle())
                raise
            if self.owed is not None:
                await self.settle()

    async def fail(self, error: Exception, attempt: Attempt | None) -> None:
        """The call ends with an error."""
        status = Status.FAILED if self.consumption.first_chunk_time is None else Status.INCOMPLETE
        reason = error.reason_name if isinstance(error, GatewayError) else "internal"
        await self._close(status, reason, attempt)

    def leave(self, attempt: Attempt | None) -> None:
        """The call is cut off, if the account is still open: closes it without anybody waiting.

        Its caller left, or its deadline passed, or the gateway stops.
        """
        if not self._open:
            return
        status, reason = Status.CANCELLED, self._call.why_cut_off(self._books.stopped)
        if reason:
            status = Status.FAILED if self.consumption.first_chunk_time is None else Status.INCOMPLETE
        if attempt is not None and attempt.reading_on is not None:
            attempt.reading_on.wanted = True
        self._books.later(self._close_later(status, reason, attempt))

    async def _close_later(self, status: Status, reason: str, attempt: Attempt | None) -> None:
        """Closes the account, when the answer was read to its end where the provider charges for that."""
        if attempt is not None and attempt.reading_on is not None:
            self.consumption.read_to_end(await attempt.reading_on.usage())
        await self._close(status, reason, attempt)

    async def _close(self, status: Status, reason: str, attempt: Attempt | None) -> None:
        if not self._open:
            return
        self._open = False
        try:
            self._end(status, reason, attempt)
        except BaseException:
            self._books.later(self.settle())
            raise
        if status is Status.COMPLETED and self._call.keep is not None:
            try:
                await self._call.keep()
            except BaseException:
                self._open = True
                raise
        await self.settle()

    def end_whole(self) -> None:
        """Finds what is owed for a whole answer."""
        self._end(Status.COMPLETED, "", self._attempt)

    def _end(self, status: Status, reason: str, attempt: Attempt | None) -> None:
        """Finds what is owed, and tells what it cost in the trailers. Whatever fails, what is known by then is owed."""
        owed = self.owed = _Owed(reservation=self._reservation)
        end_time = self._books.now()
        if self._reservation is None:
            cost = self.consumption.told_cost(attempt, end_time)
        else:
            charge = self.consumption.charge(attempt, status is Status.COMPLETED, end_time)
            cost = None
            if charge.tokens is not None:
                cost = charge.micros
                owed.tokens, owed.micros = charge.tokens.input + charge.tokens.output, charge.known_micros
            if self._books.ledger is not None:
                owed.settlement = self._settlement(status, reason, end_time, attempt, charge)
        if cost is not None:
            self._call.trailers.append(("trunkline-cost-usd-micros", str(cost)))
            self._call.notes["cost_usd_micros"] = cost

    async def settle(self) -> None:
        """Settles row and reservation, as far as they are not yet."""
        owed, self.owed = self.owed, None
        if owed is None:
            return
        try:
            if self._books.ledger is not None and owed.settlement is not None:
                await self._books.ledger.settle(owed.settlement)
        finally:
            if owed.reservation is not None:
                await owed.reservation.settle(owed.tokens, owed.micros)

    def _settlement(self, status: Status, reason: str, end_time: int, attempt: Attempt | None, charge: Charge) -> Settlement:
        return Settlement(
            id=self._id,
            status=status,
            end_time=end_time,
            first_chunk_time=self.consumption.first_chunk_time,
            provider=attempt.target.settings.name if attempt is not None else "",
            provider_model=attempt.target.model if attempt is not None else "",
            error_reason=reason,
            finish_reason=self.consumption.finish_reason(),
            attempts=tell_attempts(self._tried),
            tokens=charge.tokens,
            cost_micros=charge.micros,
            exact=charge.exact,
            answer_body=self.consumption.answer_body() if self._books.bodies else None,
        )
