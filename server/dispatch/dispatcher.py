"""The hot path's centre: let a request in, find who answers it, hand the answer on, mend it where it breaks."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial

from server.call import Call
from server.dispatch.accounts import Account
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

    async def stream(self, ask: Ask, call: Call) -> AsyncGenerator[Batch, None]:
        """Answers a request. The initial metadata goes out with the first batch; until then nothing is settled.

        Yields:
            The batches of the provider that answers, see `Provider.stream`; where a stream was mended, those of several,
            which are one answer.

        Raises:
            GatewayError: see `CompletionService` in the contract.
        """
        means = self._means
        call.notes["model"] = ask.model
        means.gate.enter(_lane(call))
        means.budget.request_begins()
        told = Told() if ask.streamed else None
        account: Account | None = None
        attempt: Attempt | None = None
        try:
            course = Course(means, ask, call)
            if means.accounts is not None:
                account = await means.accounts.open(ask, call, course.first, course.tried, told)
            attempt = await course.start()
            await _commit(call, course, attempt, account)
            recovery = Recovery(course, call, told) if told and means.routing.on_broken_stream == "recover" else None
            batch, following = attempt.batch, attempt.next
            while batch is not None:
                usage = usage_of(batch)
                if usage is not None:
                    note_usage(call, usage)
                if told is not None:
                    told.add(batch)
                if account is not None:
                    account.batch(batch, usage)
                yield batch
                try:
                    batch = await following()
                except ProviderError as error:
                    course.note(attempt, error)
                    course.time_left_s("the answer's end")
                    if recovery is None:
                        raise broken(attempt.target, error) from error
                    attempt, batch = await recovery.mend(attempt, error)
                    following = partial(recovery.next, attempt)
                    _tell(call, course, attempt)
            if account is not None:
                await account.complete(attempt)
        except Exception as error:
            if account is not None:
                await account.fail(error, attempt)
            raise
        finally:
            means.budget.request_ends()
            means.gate.leave()
            if account is not None:
                account.leave(attempt)
            if attempt is not None:
                await attempt.close()


def _lane(call: Call) -> Lane:
    return Lane.BATCH if call.metadata.get(PRIORITY) == _BATCH else Lane.INTERACTIVE


async def _commit(call: Call, course: Course, attempt: Attempt, account: Account | None) -> None:
    """The commit barrier: says who answers, and from here on no other answer can take this one's place."""
    metadata = [(REQUEST_ID, call.request_id), *_tell(call, course, attempt)]
    if account is not None:
        metadata += account.headers()
    await call.context.send_initial_metadata(metadata)


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
