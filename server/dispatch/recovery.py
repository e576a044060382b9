"""Mends a stream that broke after its caller had a part of it, where that can be done honestly.

The next target is asked for the same answer from its beginning. As long as it says what the caller has, nothing goes out;
from there on, everything. Where it says something else, a model that goes on from a given beginning is given what the caller
has. Where there is none either, the caller is told what broke: never a text twice, never two answers in one.
"""

from collections.abc import Callable

from server.call import Call
from server.dispatch.attempt import Attempt
from server.dispatch.course import Course
from server.dispatch.failure import broken
from server.dispatch.telling import replace_trailers
from server.dispatch.told import Answer, Differs, Rest, Told
from server.providers.base import Batch
from server.providers.errors import ProviderError

RECOVERED_AT = "trunkline-recovered-at"
"""The trailer that says after how many characters another attempt went on."""

_MOST_TRIES = 4


class Recovery:
    """One stream that can be mended.

    Args:
        course: the request's way.
        call: its call, whose trailers tell of it.
        told: what the caller has; whoever hands it on adds to it.
        lose: told of each attempt that had begun to answer and is given up, and how many bytes of text it said.
    """

    __slots__ = ("_call", "_course", "_error", "_lose", "_rest", "_told", "_tries")

    def __init__(self, course: Course, call: Call, told: Told, lose: Callable[[Attempt, int], None]) -> None:
        self._course = course
        self._call = call
        self._told = told
        self._lose = lose
        self._rest: Rest | None = None
        self._error: tuple[Attempt, ProviderError] | None = None
        self._tries = 0

    def said_bytes(self) -> int:
        """How much text the attempt has said that answers now, in UTF-8."""
        return self._told.byte_count if self._rest is None else self._rest.said_bytes

    async def next(self, attempt: Attempt) -> Batch | None:
        """The next batch of an attempt that mends, without what the caller has; None after the end.

        Raises:
            ProviderError: the attempt failed; Differs when its answer is another one.
        """
        rest = self._rest
        assert rest is not None
        batch = await attempt.next()
        while batch is not None:
            left = rest.of(batch)
            if left is not None:
                return left
            batch = await attempt.next()
        if rest.behind:
            raise Differs
        return None

    async def mend(self, attempt: Attempt, error: ProviderError) -> tuple[Attempt, Batch | None]:
        """Finds an attempt that goes on where a broken one stopped.

        Returns:
            The attempt, and its first batch that the caller has not had; None where it has had all.

        Raises:
            GatewayError: PROVIDER_ERROR, with what broke; DEADLINE_EXCEEDED.
        """
        self._lose(attempt, self.said_bytes())
        await attempt.close()
        if not isinstance(error, Differs):
            self._error = attempt, error
        told = self._told.answer()
        restarting = not isinstance(error, Differs)
        self._course.allow(attempt.target)
        while told is not None and self._tries < _MOST_TRIES:
            prefix = "" if restarting else _prefix(told)
            if not restarting and not prefix:
                break
            found = await self._course.restart(prefix)
            if found is None and not restarting:
                break
            if found is None:
                restarting = False
                continue
            attempt = found
            self._tries += 1
            self._rest = Rest(told, continued=bool(prefix))
            try:
                assert attempt.batch is not None
                batch = self._rest.of(attempt.batch) or await self.next(attempt)
            except ProviderError as failure:
                self._lose(attempt, self._rest.said_bytes)
                await attempt.close()
                self._course.note(attempt, failure)
                self._course.allow(attempt.target)
                restarting = restarting and not isinstance(failure, Differs)
                continue
            except BaseException:
                self._lose(attempt, self._rest.said_bytes)
                await attempt.close()
                raise
            self._tell(told)
            return attempt, batch
        assert self._error is not None
        broken_one, first_error = self._error
        raise broken(broken_one.target, first_error) from first_error

    def _tell(self, told: Answer) -> None:
        self._call.notes["recovered_at"] = told.characters
        replace_trailers(self._call, ((RECOVERED_AT, str(told.characters)),))


def _prefix(told: Answer) -> str:
    """What a model could go on from: a text, and nothing else."""
    return told.texts.get("content", "") if set(told.texts) <= {"content"} and not told.calls else ""
