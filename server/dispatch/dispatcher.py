"""The hot path's centre: let a request in, find who answers it, hand the answer on, mend it where it breaks."""

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial

from server.call import Call
from server.dispatch.account import Account
from server.dispatch.attempt import Attempt
from server.dispatch.course import Course
from server.dispatch.failure import broken
from server.dispatch.gate import Lane
from server.dispatch.means import Means
from server.dispatch.recovery import Recovery
from server.dispatch.telling import note_usage, replace_trailers, usage_of
from server.dispatch.told import Told
from server.interceptors.request_id import KEY as REQUEST_ID
from server.providers.base import Ask, Batch
from server.providers.errors import ProviderError

_BATCH = Lane.BATCH.value
PRIORITY = "x-trunkline-priority"
"""The metadata key by which a caller names its lane: `interactive`, the default, or `batch`."""


class Dispatcher:
    """Answers requests by asking providers.

    Args:
        means: what all requests share.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    async def answer(self, ask: Ask, call: Call) -> Batch:
        """Answers a request that wants no stream. The initial metadata goes out once the whole answer is there.

        Returns:
            The provider's only batch, see `Provider.stream`.

        Raises:
            GatewayError: see `CompletionService` in the contract.
        """
        admission = _Admission(self._means, ask, call)
        try:
            attempt = await admission.begin(None)
            batch = attempt.batch
            assert batch is not None  # it has begun
            admission.note(batch)
            await admission.complete()
            return batch
        except Exception as error:
            await admission.fail(error)
            raise
        finally:
            await admission.close()

    async def stream(self, ask: Ask, call: Call) -> AsyncGenerator[Batch, None]:
        """Answers a request. The initial metadata goes out with the first batch; until then nothing is settled.

        Yields:
            The batches of the provider that answers, see `Provider.stream`; where a stream was mended, those of several,
            which are one answer.

        Raises:
            GatewayError: see `CompletionService` in the contract.
        """
        told = Told() if ask.streamed else None
        admission = _Admission(self._means, ask, call)
        try:
            attempt = await admission.begin(told)
            course = admission.course
            mends = self._means.routing.on_broken_stream == "recover"
            recovery = Recovery(course, call, told, admission.lose) if told and mends else None
            batch, following = attempt.batch, attempt.next
            while batch is not None:
                if told is not None:
                    told.add(batch)
                admission.note(batch)
                yield batch
                try:
                    batch = await following()
                except ProviderError as error:
                    course.note(attempt, error)
                    course.time_left_s("the answer's end")
                    if recovery is None:
                        raise broken(attempt.target, error) from error
                    attempt, batch = await recovery.mend(attempt, error)
                    admission.mended(attempt, recovery.said_bytes)
                    following = partial(recovery.next, attempt)
                    _tell(call, course, attempt)
            await admission.complete()
        except Exception as error:
            await admission.fail(error)
            raise
        finally:
            await admission.close()


class _Admission:
    """A request that was let in, and is until `close`.

    Args:
        means: what all requests share.
        ask: the request.
        call: its call.

    Attributes:
        course: its way to an answer, once it has begun.
        attempt: the one that answers; None: none does yet.

    Raises:
        GatewayError: OVERLOADED: it is not let in.
    """

    __slots__ = ("_account", "_ask", "_call", "_means", "attempt", "course")
    course: Course

    def __init__(self, means: Means, ask: Ask, call: Call) -> None:
        call.notes["model"] = ask.model
        means.gate.enter(_lane(call))
        means.budget.request_begins()
        self._means = means
        self._ask = ask
        self._call = call
        self._account: Account | None = None
        self.attempt: Attempt | None = None

    async def begin(self, told: Told | None) -> Attempt:
        """Opens its account, asks until somebody begins to answer, and says who.

        From there on no other answer can take this one's place.

        Args:
            told: what the caller has of a stream; None: it is none.
        """
        means, call = self._means, self._call
        course = self.course = Course(means, self._ask, call)
        if means.accounts is not None:
            self._account = await means.accounts.open(self._ask, call, course.first, course.tried, told)
        attempt = self.attempt = await course.start()
        metadata = [(REQUEST_ID, call.request_id), *_tell(call, course, attempt)]
        if self._account is not None:
            metadata += self._account.headers()
        await call.context.send_initial_metadata(metadata)
        return attempt

    def note(self, batch: Batch) -> None:
        """A batch goes out to the caller."""
        usage = usage_of(batch)
        if usage is not None:
            note_usage(self._call, usage)
        if self._account is not None:
            self._account.consumption.batch(batch, usage)

    def lose(self, attempt: Attempt, said_bytes: int) -> None:
        """An attempt that had begun to answer is given up for another one."""
        if self._account is not None:
            self._account.consumption.lose(attempt, said_bytes)

    def mended(self, attempt: Attempt, said_bytes: Callable[[], int]) -> None:
        """Another attempt goes on."""
        self.attempt = attempt
        if self._account is not None:
            self._account.consumption.mended(said_bytes)

    async def complete(self) -> None:
        """The answer is whole."""
        if self._account is not None:
            assert self.attempt is not None  # who gave it
            await self._account.complete(self.attempt)

    async def fail(self, error: Exception) -> None:
        """The call ends with an error."""
        if self._account is not None:
            await self._account.fail(error, self.attempt)

    async def close(self) -> None:
        """It is over, however it ended."""
        self._means.budget.request_ends()
        self._means.gate.leave()
        if self._account is not None:
            self._account.leave(self.attempt)
        if self.attempt is not None:
            await self.attempt.close()


def _lane(call: Call) -> Lane:
    return Lane.BATCH if call.metadata.get(PRIORITY) == _BATCH else Lane.INTERACTIVE


def _tell(call: Call, course: Course, attempt: Attempt) -> Sequence[tuple[str, str]]:
    """Tells trailers and log who answers, in the place of whom they told before; gives what the head says, too."""
    target = attempt.target
    origin = [("trunkline-provider", target.settings.name), ("trunkline-attempts", str(course.attempts))]
    if course.chaos:
        origin.append(("trunkline-chaos", ", ".join(course.chaos)))
    told = [*origin, ("trunkline-model", target.model)]
    if len(call.trailers) > 1:  # beside the request's id, which is told from the beginning
        replace_trailers(call, told)
    else:
        call.trailers.extend(told)
    call.notes["provider"] = target.settings.name
    call.notes["attempts"] = course.attempts
    return origin
