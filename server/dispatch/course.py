"""One request's way from target to target until one begins to answer: retries, fallbacks, hedges, all before it does."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from server.call import Call
from server.caller import Caller
from server.catalogue.selections import NO_DEFAULTS
from server.dispatch.affinity import Loop, without
from server.dispatch.attempt import Attempt
from server.dispatch.defaults import with_defaults
from server.dispatch.failure import Failure, able, failed
from server.dispatch.gate import overloaded
from server.dispatch.hedge import race
from server.dispatch.means import Means
from server.dispatch.reading_on import ReadingOn
from server.dispatch.retry import Situation, Then, after
from server.dispatch.router import Route, Target
from server.dispatch.standing import Standing
from server.dispatch.telling import replace_trailers
from server.errors import GatewayError
from server.providers.base import Ask
from server.providers.errors import Fault, ProviderError
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.error_reason_pb2 import ErrorReason

_NO_TIME_S = 0.01
"""Less than this before the deadline it has passed: an attempt gets what is left, and its end may be noticed first."""

_FASTEST = 0.0
"""The quantile of a target's times to the first chunk that an attempt needs at least."""


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Whom to ask for a request.

    Attributes:
        route: where the model leads.
        targets: those to try, in order; the fallbacks come after the model's own.
        loop: the request's tool loop; None: it is of none, or nobody else could go on with it.
    """

    route: Route
    targets: Sequence[Target]
    loop: Loop | None = None


class Course:
    """One request under way.

    Args:
        means: what all requests share.
        ask: the request.
        call: its call.

    Attributes:
        failures: the attempts that failed, in order.
        tried: all attempts, in the order in which they began, and who could not be asked.
        attempts: how many were begun.
        chaos: the faults that were made on purpose, in order.
    """

    __slots__ = ("_ask", "_call", "_means", "_pending", "_plan", "attempts", "chaos", "failures", "tried")

    def __init__(self, means: Means, ask: Ask, call: Call) -> None:
        self._means = means
        self._ask = ask
        self._call = call
        self._plan = plan(means, ask, call.caller)
        self._pending = list(self._plan.targets)
        self.failures: list[Failure] = []
        self.tried: list[Attempt | Failure] = []
        self.attempts = 0
        self.chaos: list[str] = []

    @property
    def first(self) -> Target:
        """Who is asked first, as things stand."""
        return self._plan.targets[0]

    async def start(self) -> Attempt:
        """Asks targets until one begins to answer.

        Raises:
            GatewayError: none did.
        """
        while (target := self._next()) is not None:
            attempt = await self._try(target)
            if attempt is not None:
                return attempt
        if not self.failures:
            overloaded(f"Every provider of the model `{self._ask.model}` has as much work as it takes.")
        raise failed(self.failures, self._ask.model) from self.failures[-1].error

    async def restart(self, prefix: str = "") -> Attempt | None:
        """Asks the next target once more for the same answer; None: none is left, or none began.

        Whoever failed already is asked again as far as the retry budget goes.

        Args:
            prefix: the beginning that the model is to continue; then only those that can are asked.
        """

        def accept(target: Target) -> bool:
            return not prefix or target.provider.continues(target.model)

        while (target := self._next(accept)) is not None:
            again = any(failure.target is target for failure in self.failures)
            if again and not self._means.budget.take():
                continue
            if not await (self._may_extra(target) if again else self._claimed(target)):
                continue
            attempt = self._extra(target, prefix) if again else self._attempt(target, prefix)
            try:
                await attempt.begin()
                return attempt
            except ProviderError as error:
                await attempt.close()
                self.note(attempt, error)
            except BaseException:
                await attempt.close()
                raise
        return None

    def note(self, attempt: Attempt, error: ProviderError) -> None:
        """Tells log and trailers of an attempt that failed, whatever comes of the next one."""
        error.__traceback__ = None  # it leads back here, and so to itself: it would wait for the garbage collector
        attempt.error = error
        self.failures.append(Failure(attempt.target, error, attempt.latency_s))
        notes = self._call.notes
        notes["provider"] = attempt.target.settings.name
        notes["attempts"] = self.attempts
        notes["failures"] = [
            f"{failure.target.settings.name}: {failure.error.fault.error_type}" for failure in self.failures
        ]

    def time_left_s(self, awaited: str = "a provider answered") -> float | None:
        """Seconds to the caller's deadline; None: there is none.

        Raises:
            GatewayError: DEADLINE_EXCEEDED, with what was awaited.
        """
        left = self._call.context.time_remaining()
        if left is not None and left < _NO_TIME_S:
            raise GatewayError(ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, f"The deadline passed before {awaited}.")
        return left

    def allow(self, target: Target) -> None:
        """Lets a target be asked again, after all others."""
        self._pending.append(target)

    async def _try(self, target: Target) -> Attempt | None:
        """Asks a target, again where that may help; None: it is the next one's turn.

        Raises:
            GatewayError: nobody else is to be asked.
        """
        means, retries = self._means, 0
        if target.settings.rate_limit is not None and not await self._claimed(target):
            return None
        while True:
            attempt = self._extra(target) if retries else self._attempt(target)
            try:
                late_s = means.hedge_delay_s(self._plan.route.model)
                if late_s is not None and self._others():
                    return await self._race(attempt, late_s)
                await attempt.begin()
                return attempt
            except ProviderError as error:
                await attempt.close()
                self.note(attempt, error)
                left_s = self.time_left_s()
                then, delay_s = after(error, self._situation(target, retries, left_s), means.chance)
                if then is Then.AGAIN and not means.budget.take():
                    then = Then.NEXT
                if then is Then.STOP:
                    raise failed(self.failures, self._ask.model) from error
                if then is Then.NEXT:
                    if error.fault is Fault.CONTEXT_LENGTH:
                        self._only_larger(target)
                    return None
                retries += 1
                if not await self._may_extra(target, delay_s):
                    return None
            except BaseException:
                await attempt.close()
                raise

    async def _claimed(self, target: Target) -> bool:
        """Whether the provider's own rate allows another attempt; where it does not, that is told as its failure."""
        accounts = self._means.accounts
        wait_s = None if accounts is None else await accounts.claim(target.settings)
        if wait_s is not None:
            error = ProviderError(Fault.RATE_LIMITED, "The provider's configured rate is used up.", retry_after_s=wait_s)
            self.failures.append(Failure(target, error))
            self.tried.append(self.failures[-1])
        return wait_s is None

    async def _may_extra(self, target: Target, delay_s: float = 0.0) -> bool:
        """Whether an attempt, for which the budget was taken, may be made after a while; else that is given back."""
        may = False
        try:
            await asyncio.sleep(delay_s)
            standing = target.state.standing(self._means.clock.monotonic())  # others may have failed in the meantime
            may = standing < Standing.FULL and await self._claimed(target)
        finally:
            if not may:
                self._means.budget.give_back()
        return may

    async def _race(self, attempt: Attempt, delay_s: float) -> Attempt:
        """Waits for the first batch, of this attempt or of a second one beside it where this one is late.

        Raises:
            ProviderError: the attempt's, where neither begins to answer.
        """
        ended = await race(attempt, delay_s, partial(self._hedge, attempt))
        for failed_one, error in ended.failures:
            if failed_one is not attempt or ended.winner is not None:
                self.note(failed_one, error)
        if ended.lost is not None:
            self._call.notes["hedge_lost"] = ended.lost.target.settings.name
        if ended.winner is None:
            raise next(error for failed_one, error in ended.failures if failed_one is attempt)
        return ended.winner

    async def _hedge(self, first: Attempt) -> Attempt | None:
        """The second attempt of a race, where another target, its rate, the deadline and the budget allow one."""
        if not self._others() or not self._means.budget.take():
            return None
        target = self._next()
        assert target is not None
        if not await self._may_extra(target):
            return None
        if first.batch is not None:  # it began while the rate was asked for
            self._means.budget.give_back()
            self.allow(target)
            return None
        try:
            return self._extra(target)
        except GatewayError:
            return None  # too late for another one; the first is under way

    def _extra(self, target: Target, prefix: str = "") -> Attempt:
        """An attempt for which the budget was taken, and which gives it back when it is over.

        Raises:
            GatewayError: DEADLINE_EXCEEDED, see `_attempt`.
        """
        try:
            attempt = self._attempt(target, prefix)
        except BaseException:
            self._means.budget.give_back()
            raise
        attempt.on_close = self._means.budget.give_back
        return attempt

    def _attempt(self, target: Target, prefix: str = "") -> Attempt:
        """An attempt of a target, with what time is left.

        Raises:
            GatewayError: DEADLINE_EXCEEDED when it could not answer in that time.
        """
        left_s = self.time_left_s()
        if left_s is not None and not self._quick_enough(target):
            raise GatewayError(
                ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED,
                "The time that is left before the deadline is too short for another attempt.",
            )
        ask = self._ask_of(target, prefix)
        self.attempts += 1
        begin = target.provider.stream
        chaos = self._means.chaos
        if chaos is not None and chaos.armed:
            caller = self._call.caller
            batches, fault = chaos.stream(target.settings.name, ask, caller.key_id or caller.name, begin)
            if fault:
                self.chaos.append(fault)
                self._call.notes["chaos"] = ", ".join(self.chaos)
                replace_trailers(self._call, (("trunkline-chaos", ", ".join(self.chaos)),))
        else:
            batches = begin(ask)
        loop = self._plan.loop
        if loop is not None:
            batches = self._means.affinity.noting(batches, loop, target.settings.name, target.model)
        reading_on: ReadingOn | None = None
        if ask.streamed and target.settings.broken_stream_billing == "read_to_end":
            reading_on = ReadingOn(batches)
            batches = reading_on.batches()
        attempt = Attempt(target, ask, left_s, self._means.clock, self._means.watch, batches)
        attempt.reading_on = reading_on
        self.tried.append(attempt)
        return attempt

    def _ask_of(self, target: Target, prefix: str) -> Ask:
        ask = self._ask
        request = ask.request
        loop = self._plan.loop
        if loop is not None and loop.makers:
            assert isinstance(request, ChatCompletionRequest)
            request = without(request, loop.unreadable(target.settings.name))
        defaults = self._means.defaults(target)
        if defaults is not NO_DEFAULTS:
            request = with_defaults(request, defaults)
        return Ask(ask.operation, request, target.model, ask.streamed, ask.as_json, None, ask.request_id, prefix)

    def _next(self, accept: Callable[[Target], bool] | None = None) -> Target | None:
        """Takes the next target to ask; None: there is none.

        One that should rather not be asked comes after all that may be, fallbacks too; then one that is too slow for what
        time is left. One whose breaker is open is asked only where nothing else could be.
        """
        now = self._means.clock.monotonic()
        chosen, least = None, 3
        for place, target in enumerate(self._pending):
            if accept is not None and not accept(target):
                continue
            standing = target.state.standing(now)
            if standing is Standing.FULL or (standing is Standing.OPEN and (self.attempts or target.state.full)):
                continue
            if standing is Standing.OPEN or not self._quick_enough(target):
                rank = 2
            elif standing > Standing.DEGRADED:
                rank = 1
            else:
                return self._pending.pop(place)
            if rank < least:
                chosen, least = place, rank
        return None if chosen is None else self._pending.pop(chosen)

    def _quick_enough(self, target: Target) -> bool:
        """Whether a target could answer in what time is left; a request's first one may try in any case."""
        left_s = self._call.context.time_remaining() if self.failures else None
        return left_s is None or left_s >= (target.state.time_to_first_chunk(_FASTEST) or 0.0)

    def _others(self) -> bool:
        """Whether another target could be asked now."""
        now = self._means.clock.monotonic()
        return any(target.state.standing(now) <= Standing.RESTING for target in self._pending)

    def _situation(self, target: Target, retries: int, left_s: float | None) -> Situation:
        others = self._others()
        standing = target.state.standing(self._means.clock.monotonic())  # a wait for one that is full delays a refusal
        again = standing < Standing.FULL and (self._quick_enough(target) or not others)
        return Situation(
            retries=retries,
            most_retries=target.settings.max_retries if again else 0,
            first_delay_s=target.settings.retry_delay,
            others=others,
            time_left_s=left_s,
            filtered_elsewhere=self._means.routing.content_filter_fallback,
        )

    def _only_larger(self, target: Target) -> None:
        """Leaves of the pending targets those that are known to take more, and adds those configured for it."""
        means, operation = self._means, self._ask.operation
        window, now = means.window(target), means.clock.monotonic()

        def takes(other: Target, unknown: bool) -> bool:
            theirs = means.window(other)
            return unknown if window is None or theirs is None else theirs > window

        asked = [failure.target for failure in self.failures]
        larger = [
            other
            for group in self._plan.route.larger
            for other in means.strategy.order(group, operation, now)
            if operation in other.provider.operations and other not in asked
        ]
        self._pending = [
            *(other for other in self._pending if takes(other, unknown=other in larger)),
            *(other for other in larger if takes(other, unknown=True) and other not in self._pending),
        ]


def plan(means: Means, ask: Ask, caller: Caller) -> Plan:
    """Whom to ask for a caller's request, as things stand.

    Raises:
        GatewayError: MODEL_NOT_FOUND; INSUFFICIENT_PERMISSIONS when the caller may not use the model, or no provider of it;
            NOT_IMPLEMENTED when no target has the operation.
    """
    route = means.router.route(ask.model, caller)
    now = means.clock.monotonic()
    targets = list(means.strategy.order(route.targets, ask.operation, now))
    for fallback in route.fallbacks:
        targets.extend(means.strategy.order(fallback, ask.operation, now))
    targets = able(targets, ask, ask.model)
    if len(targets) < 2 or (loop := means.affinity.loop(ask)) is None:
        return Plan(route, targets)
    holder = next((target for target in targets if (target.settings.name, target.model) == loop.holder), None)
    if holder is not None:
        targets = [holder, *(target for target in targets if target is not holder)]
    return Plan(route, targets, loop)
