"""Limits: rates, quotas and budgets in one question before a request, and one answer after it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import cast

import structlog
from msgspec.structs import replace

from server.catalogue.own_names import OwnNames
from server.clock import Clock
from server.config.provider_settings import ProviderSettings
from server.config.schema import RateLimitSettings
from server.errors import GatewayError
from server.limits.allowances import Due, Unit
from server.limits.book import Book, nothing_waits
from server.limits.bounds import Bounds, KnownBounds
from server.limits.budgets import BudgetEvent, budget_exceeded, crossed, record_event
from server.limits.counters import Change, Claim, Counters, CountersError, LocalCounters, Taken
from server.limits.quotas import quota_exceeded
from server.limits.rates import Headers, Rates, find_headers, provider_claim, rate_limited
from server.limits.request import MODEL, Request
from server.storage.database import Database
from server.storage.errors import StorageError
from trunkline.v1.error_reason_pb2 import ErrorReason

_MICROS = 1_000_000
_SEEDINGS = 5
_NOTHING_TAKEN = Taken(None, (), (), ())
_RETRY_S = 1.0


class Limits:
    """Everything that limits. `start` and `close` it in one and the same running loop.

    Args:
        settings: the rates; None: there are none.
        counters: what counts; its own from now on.
        database: has quotas, budgets and what was used; None: there are only rates.
        clock: tells the time.
        fail_open: whether requests pass while counters or rows are out of reach; else they are refused.
        flush: has what was told of completions put into their rows.
        models: knows which names are one model.

    Attributes:
        remote: whether the counters have to be waited for.
        on_budget_event: called once for each threshold that a budget crosses, when its row is written.
    """

    def __init__(
        self,
        settings: RateLimitSettings | None,
        counters: Counters,
        database: Database | None,
        clock: Clock,
        fail_open: bool = True,
        flush: Callable[[], Awaitable[None]] = nothing_waits,
        models: OwnNames | None = None,
    ) -> None:
        self.on_budget_event: Callable[[BudgetEvent], None] = lambda event: None
        self._models = models or OwnNames()
        self._rates = Rates(settings, self._models)
        self._counters = counters
        self.remote = counters.remote
        self._local = None if counters.remote else cast(LocalCounters, counters)
        self._database = database
        self._clock = clock
        self._fail_open = fail_open
        self._book = Book(database, counters, clock, flush, self._models)
        self._known = KnownBounds()
        self._under_way = 0
        self._raised: set[tuple[str, int, int, int]] = set()
        self._refused: set[tuple[str, int]] = set()
        self._unwritten: list[BudgetEvent] = []
        self._later: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("trunkline.limits")

    async def start(self) -> None:
        """Reads the rows. Where the ledger recovered something, `recount` comes next.

        Raises:
            StorageError: the database failed.
        """
        await self._book.refresh(None)
        self.recount(MODEL)  # its names may be others than when its counters were seeded that outlive a process

    async def refresh(self) -> None:
        """Puts changed rows in force, ends doubts, and writes events that could not be written.

        Whoever makes limits sees to it that it is called again and again.

        Raises:
            StorageError: the database failed.
        """
        await self._book.refresh()
        self._book.end_doubts(self._under_way)
        await self._drop_stale()
        unwritten, self._unwritten = self._unwritten, []
        for event in unwritten:
            self._raise(event)

    def configure(self, settings: RateLimitSettings | None) -> None:
        """Puts other rates in force."""
        self._rates = Rates(settings, self._models)

    def recount(self, scope: str | None = None) -> None:
        """Lets quotas and budgets be counted anew from the rows, as where somebody settled what a dead process held.

        Args:
            scope: only those of this one; None: all.
        """
        dues = self._book.allowances.dues(self._now())
        self._book.forget([due.key for due in dues if scope in (None, due.allowance.scope)])

    async def look_at_counters(self) -> None:
        """Lets all be counted anew if the counters' server began again, perhaps with what it once held.

        Raises:
            CountersError: it is out of reach.
        """
        run = await self._counters.new_run()
        if run:
            self.recount()
            await self._book.drop_stale()
            await self._counters.know_run(run)

    @property
    def idle(self) -> bool:
        """Whether nothing is limited now."""
        return not self._rates and not self._book.allowances

    async def finish(self) -> None:
        """Returns when all is done that nobody waits for: corrections, and events."""
        while self._later:
            await asyncio.wait(self._later)

    async def close(self) -> bool:
        """Ends what is under way, and closes the counters.

        Returns:
            Whether they are right; else the next one to begin has to count anew.
        """
        await self.finish()
        await self._book.close()
        self._book.end_doubts(0)
        await self._drop_stale()
        await self._counters.close()
        return not self._book.stale

    async def reserve(self, request: Request) -> "Reservation":
        """Reserves what a request may use, all of it or nothing.

        Raises:
            GatewayError: RATE_LIMITED, QUOTA_EXCEEDED or BUDGET_EXCEEDED; OVERLOADED where counters are out of reach and
                nothing passes then.
        """
        request, bounds = self._bound(request)
        claims = bounds.claims([request])
        taken = _NOTHING_TAKEN
        if claims:
            try:
                taken = await self._take(claims, bounds)
            except CountersError:
                self._book.forget([due.key for due in bounds.dues])  # it may have been granted, and nobody knows
                if not self._fail_open:
                    raise _out_of_reach() from None
                self._under_way += 1
                return Reservation(self, request, None, (), None)
        if taken.refused is not None:
            raise self._refusal(claims, bounds, taken)
        return self._reserved([request], bounds, claims, taken)[0]

    def reserve_at_once(self, requests: Sequence[Request]) -> "Sequence[Reservation | Exception | None]":
        """The same for several requests, as far as nothing has to be waited for: one asker's after the other's.

        Returns:
            Of each what is reserved for it, or why it is refused; None: something has to be waited for, and nothing is done.
        """
        local = self._local
        if local is None or self._book.stale:
            return [None] * len(requests)
        askers: dict[Bounds, list[int]] = {}
        bound: list[Request] = []
        for place, request in enumerate(requests):
            request, bounds = self._bound(request)
            bound.append(request)
            askers.setdefault(bounds, []).append(place)
        outcomes: list[Reservation | Exception | None] = [None] * len(requests)
        for bounds, places in askers.items():
            found: Sequence[Reservation | Exception | None]
            try:
                found = self._reserve_together([bound[place] for place in places], bounds, local)
            except Exception as error:  # of these alone
                found = [error] * len(places)
            for place, outcome in zip(places, found, strict=True):
                outcomes[place] = outcome
        return outcomes

    def _reserve_together(
        self, requests: Sequence[Request], bounds: Bounds, local: LocalCounters
    ) -> "Sequence[Reservation | GatewayError | None]":
        """Reserves for requests of one asker: all at once, or where that is too much, one after the other."""
        count = len(requests)
        if count <= bounds.most_together:
            claims = bounds.claims(requests)
            taken = local.take_at_once(claims) if claims else _NOTHING_TAKEN
            if taken.absent:
                return [None] * count
            if taken.refused is None:
                return self._reserved(requests, bounds, claims, taken)
            if count == 1:
                return [self._refusal(claims, bounds, taken)]
        return [outcome for each in requests for outcome in self._reserve_together([each], bounds, local)]

    def _bound(self, request: Request) -> tuple[Request, Bounds]:
        """What counts a request; and the request by its model's own name, with its time."""
        own = self._models.of(request.model)
        if own != request.model or not request.begin_time:
            request = replace(request, model=own, begin_time=request.begin_time or self._now())
        return request, self._known.of(self._rates, self._book.allowances, request, request.begin_time)

    def _reserved(
        self, requests: Sequence[Request], bounds: Bounds, claims: Sequence[Claim], taken: Taken
    ) -> "list[Reservation]":
        """What was granted to requests of one asker together; all are told of the window that was nearest after the last."""
        headers = find_headers(claims, bounds.of_requests, taken, requests[-1].begin_time / _MICROS)
        after = len(requests)
        self._under_way += after
        reservations = []
        for request in requests:
            after -= 1
            told = headers
            if headers is not None and after:
                limit, left, reset = headers
                told = limit, left + after, reset
            reservations.append(Reservation(self, request, bounds, taken.marks, told))
        return reservations

    async def claim_provider(self, provider: ProviderSettings) -> float | None:
        """Claims one attempt of a provider's own rate.

        Returns:
            None: it may be made; else in how many seconds it may.
        """
        claim = provider_claim(provider)
        if claim is None:
            return None
        try:
            taken = await self._counters.take([claim])
        except CountersError:
            return None if self._fail_open else _RETRY_S
        return None if taken.refused is None else taken.wait_s or 0.0

    async def correct(self, reservation: "Reservation", tokens: int, micros: int) -> None:
        """Makes what a reservation holds what was used. For reservations.

        Returns when it is done; where counters are remote, when it is in line before all that is asked after it.
        """
        if reservation.ended or self.settle_at_once([(reservation, tokens, micros)]):
            return
        reservation.ended = True
        correcting = self._correct(reservation, tokens, micros)
        if self.remote:
            self._do_later(correcting)
            await asyncio.sleep(0)  # so it has begun
        else:
            await correcting

    def settle_at_once(self, used: "Iterable[tuple[Reservation, int, int]]") -> bool:
        """Settles reservations to the tokens and the millionths of a US dollar that were used; see `Reservation.settle`.

        Returns:
            False: something has to be waited for, and nothing is done.
        """
        local = self._local
        if local is None or self._book.stale:
            return False
        alike: dict[tuple[Bounds, tuple[int, ...]], list[int]] = {}
        for reservation, tokens, micros in used:
            if reservation.ended:
                continue
            reservation.ended = True
            bounds, request = reservation.bounds, reservation.request
            if bounds is None or bounds.allowances is not self._book.allowances:
                changes, dues = self._corrections(reservation, tokens, micros)
                self._under_way -= 1
                self._corrected(dues, local.change_at_once(changes))
                continue
            sums = alike.get((bounds, reservation.marks))
            if sums is None:
                sums = alike[bounds, reservation.marks] = [0, 0, 0, 0, 0, 0]
            sums[0] += 1
            sums[1] += tokens - request.tokens
            sums[2] += tokens
            sums[3] += micros
            sums[4] += tokens - request.most_tokens
            sums[5] += micros - request.most_micros
        for (bounds, marks), (count, *sums) in alike.items():
            self._under_way -= count
            self._corrected(bounds.dues, local.change_at_once(bounds.changes(marks, *sums)))
        return True

    def _do_later(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("limits failed", exc_info=error)

    async def _correct(self, reservation: "Reservation", tokens: int, micros: int) -> None:
        changes, dues = self._corrections(reservation, tokens, micros)
        self._under_way -= 1
        if not changes:
            return
        try:
            if self._book.stale:
                await self._book.drop_stale()
            settled = await self._counters.change(changes)
        except CountersError:
            self._book.forget([change.key for change in changes if not change.window_s])
            return
        self._corrected(dues, settled)
        if self._book.stale:
            await self._drop_stale()

    def _corrections(
        self, reservation: "Reservation", tokens: int, micros: int
    ) -> tuple[list[Change], Sequence[Due | None]]:
        """What makes what was reserved what was used; the last of the changes are of these; None: of one that is gone."""
        request, bounds, allowances = reservation.request, reservation.bounds, self._book.allowances
        over_tokens, over_micros = tokens - request.most_tokens, micros - request.most_micros
        changes: list[Change] = []
        if bounds is not None:
            unexpected = tokens - request.tokens
            changes = bounds.changes(reservation.marks, unexpected, tokens, micros, over_tokens, over_micros)
        if bounds is not None and bounds.allowances is allowances:
            return changes, bounds.dues
        found = {due.key: due for due in allowances.of(request, request.begin_time)}
        counted = [] if bounds is None else [found.pop(due.key, None) for due in bounds.dues]
        # Rows that are newer than the request: their counters were seeded with what the request's own row held back.
        changes += [due.correction(tokens, micros, over_tokens, over_micros) for due in found.values()]
        return changes, (*counted, *found.values())

    def _corrected(self, dues: Sequence[Due | None], settled: Sequence[int | None]) -> None:
        """Looks at what was settled, of the last of the changes."""
        doubted: list[str] = []
        for due, spent in zip(dues, settled[len(settled) - len(dues) :], strict=True):
            if due is None:
                continue
            if spent is None:
                doubted.append(due.key)
            elif due.alarm is not None and spent >= due.alarm:
                self._tell_crossed(due, spent)
        if doubted:
            self._book.doubt(doubted)
        self._book.end_doubts(self._under_way)

    async def _drop_stale(self) -> None:
        with suppress(CountersError):  # they are dropped later
            await self._book.drop_stale()

    async def _take(self, claims: Sequence[Claim], bounds: Bounds) -> Taken:
        for _ in range(_SEEDINGS):
            if self._book.stale:
                await self._book.drop_stale()
            try:
                taken = await self._counters.take(claims)
            except asyncio.CancelledError:  # it may have been granted, and counters that fail give nothing back
                self._book.doubt([due.key for due in bounds.dues])
                raise
            if not taken.absent:
                return taken
            for index in taken.absent:
                await self._book.seed(bounds.dues[index - bounds.rate_count], taken.marks[index])
        raise CountersError("counters that nobody can seed")

    def _refusal(self, claims: Sequence[Claim], bounds: Bounds, taken: Taken) -> GatewayError:
        assert taken.refused is not None
        if taken.refused < bounds.rate_count:
            return rate_limited(claims[taken.refused], taken.wait_s, self._clock.now())
        due = bounds.dues[taken.refused - bounds.rate_count]
        if due.alarm is not None and (due.key, due.allowance.limit) not in self._refused:
            self._do_later(self._look_at_spent(due))
        return quota_exceeded(due) if due.allowance.unit is Unit.TOKENS else budget_exceeded(due)

    async def _look_at_spent(self, due: Due) -> None:
        """Tells what a budget that refuses has crossed: one that was lowered may let nothing pass whose end would tell."""
        with suppress(CountersError):  # the next one that it refuses has it looked at
            (spent,) = await self._counters.change([Change(due.key, 0)])
            if spent is not None:
                self._refused.add((due.key, due.allowance.limit))
                self._tell_crossed(due, spent)

    def _tell_crossed(self, due: Due, spent_micros: int) -> None:
        for event in crossed(due, spent_micros):
            key = _key(event)
            if key not in self._raised:
                self._raised.add(key)
                self._raise(event)

    def _raise(self, event: BudgetEvent) -> None:
        self._do_later(self._record(event))

    async def _record(self, event: BudgetEvent) -> None:
        assert self._database is not None  # the budget is from there
        try:
            first = await record_event(self._database, event, self._now())
        except StorageError as error:
            self._log.warning("budget event not written", budget=event.budget.id, error=str(error))
            self._unwritten.append(event)
            return
        if first:
            self.on_budget_event(event)

    def _now(self) -> int:
        return round(self._clock.now() * _MICROS)


class Reservation:
    """What is held back for one request. Ends with `settle` or `release`; what comes after the first of them does nothing.

    Args:
        limits: who holds it.
        request: whose it is, by its model's own name, with its time.
        bounds: what it was counted in; None: in nothing, though there may be something.
        marks: of each claim, what it was granted of.
        headers: what the answer's headers say.

    Attributes:
        request, bounds, marks: as given.
        headers: as given; None: no rate is configured.
        ended: whether it is corrected.
    """

    __slots__ = ("_limits", "bounds", "ended", "headers", "marks", "request")

    def __init__(
        self,
        limits: Limits,
        request: Request,
        bounds: Bounds | None,
        marks: tuple[int, ...],
        headers: Headers | None,
    ) -> None:
        self.request = request
        self.bounds = bounds
        self._limits = limits
        self.marks = marks
        self.headers = headers
        self.ended = False

    async def settle(self, tokens: int, micros: int) -> None:
        """Corrects it to what was used. Call it when the settlement's row is committed, with what that row says.

        Args:
            tokens: input and output together.
            micros: millionths of a US dollar; 0 where the price is not known.
        """
        await self._limits.correct(self, tokens, micros)

    async def release(self) -> None:
        """Gives it back: nothing was used. The request still counts as one."""
        await self.settle(0, 0)


def _key(event: BudgetEvent) -> tuple[str, int, int, int]:
    """What is written once; a budget that was changed may be crossed again."""
    return event.budget.id, event.period_start, event.threshold, event.budget.limit


def _out_of_reach() -> GatewayError:
    return GatewayError(
        ErrorReason.ERROR_REASON_OVERLOADED, "Limits cannot be checked at the moment.", retry_after_s=_RETRY_S
    )
