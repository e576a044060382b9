"""One try of one target: its answer, batch by batch, under a watchdog, on the target's record."""

from collections.abc import AsyncGenerator, Callable

from server.clock import Clock
from server.dispatch.life import Life
from server.dispatch.reading_on import ReadingOn
from server.dispatch.router import Target
from server.dispatch.watchdog import Watch, Watchdog
from server.providers.base import Ask, Batch
from server.providers.errors import Fault, ProviderError

FIRST_CHUNK_S = 120.0
"""How long a stream's first chunk may take where the row does not say."""

IDLE_S = 120.0
"""How long a stream's next chunk may take where the row does not say."""

_FAIR_S = 30.0
"""A caller in more of a hurry than its target's row says nothing of the target by leaving earlier than this."""


class Attempt:
    """One try. `begin` it, then ask for `next` until there is nothing more, and `close` it whatever happens.

    Args:
        target: whom to ask.
        ask: what to ask.
        left_s: how long it is to the caller's deadline; None: there is none.
        clock: tells the time.
        watch: looks after its waits.
        batches: the target's stream.

    Attributes:
        batch: the first batch, once it has begun.
        error: how it failed, once somebody took note of that.
        reading_on: reads the stream to its end though the caller leaves; None: nobody does.
        on_close: called once when the attempt is over, however it ends.
    """

    __slots__ = (
        "_batches",
        "_begin_time",
        "_clock",
        "_end_time",
        "_life",
        "_open",
        "_tried",
        "_watchdog",
        "batch",
        "error",
        "on_close",
        "reading_on",
        "target",
    )

    def __init__(
        self,
        target: Target,
        ask: Ask,
        left_s: float | None,
        clock: Clock,
        watch: Watch,
        batches: AsyncGenerator[Batch, None],
    ) -> None:
        settings = target.settings
        first_chunk_s, idle_s = settings.first_chunk_timeout, settings.idle_timeout
        self.target = target
        self.batch: Batch | None = None
        self.error: ProviderError | None = None
        self.on_close: Callable[[], None] | None = None
        self.reading_on: ReadingOn | None = None
        self._clock = clock
        self._life: Life | None = None
        if ask.streamed:
            self._life = Life(
                FIRST_CHUNK_S if first_chunk_s is None else first_chunk_s, IDLE_S if idle_s is None else idle_s
            )
        self._watchdog = Watchdog(settings.timeout, watch, left_s)
        self._watchdog.longest_s = first_chunk_s
        self._begin_time = clock.monotonic()
        self._end_time: float | None = None
        self._batches = batches
        self._open = True
        self._tried = target.state.begin()

    @property
    def latency_s(self) -> float:
        """How long it has taken; once it is over, how long it took."""
        end_time = self._clock.monotonic() if self._end_time is None else self._end_time
        return end_time - self._begin_time

    async def begin(self) -> None:
        """Waits for the first batch. What is not streamed is read to its end then: when the caller has it, nothing can fail.

        Raises:
            ProviderError: the provider failed before it.
        """
        if self._life is None:
            await self._read_whole()
            return
        self.batch = await self.next()
        self.target.state.first_chunk(self._tried, self._clock.monotonic() - self._begin_time)

    async def next(self) -> Batch | None:
        """The next batch; None after the answer's proper end.

        Raises:
            ProviderError: the provider failed, or its answer ended before it was whole.
        """
        life, watchdog = self._life, self._watchdog
        if life is None or not self._open:
            return None
        watchdog.longest_s = life.patience_s
        try:
            try:
                with watchdog:
                    batch = await self._batches.__anext__()
            except StopAsyncIteration:
                life.end()
            else:
                life.batch(batch)
                return batch
        except ProviderError as error:
            if life.fail(error):
                if self._ends():
                    self._blame(error)
                raise
        self._succeeds()
        return None

    async def close(self) -> None:
        """Ends it: closes the provider's connection where the answer has not ended."""
        if self._ends():
            self.target.state.left(self._tried)
        await self._batches.aclose()
        if self.reading_on is not None:
            await self.reading_on.close()

    async def _read_whole(self) -> None:
        """Waits for the only batch, and for the end that follows it."""
        whole: Batch | None = None
        try:
            with self._watchdog:
                async for batch in self._batches:
                    if whole is not None:
                        raise ProviderError(Fault.PROTOCOL, "The provider answers twice.")
                    whole = batch
            if whole is None:
                raise ProviderError(Fault.PROTOCOL, "The provider's answer is empty.")
        except ProviderError as error:
            if self._ends():
                self._blame(error)
            raise
        self.batch = whole
        self.target.state.first_chunk(self._tried, self.latency_s)
        self._succeeds()

    def _succeeds(self) -> None:
        if self._ends():
            self.target.state.succeeded(self._tried, self._begin_time + self.latency_s)

    def _blame(self, error: ProviderError) -> None:
        """Puts a failure on the target's record, unless the caller's deadline was all that failed."""
        now = self._clock.monotonic()
        too_early = self.batch is not None or now - self._begin_time < _FAIR_S
        if self._watchdog.hurried and too_early:
            self.target.state.left(self._tried)
        else:
            self.target.state.failed(self._tried, error, now)

    def _ends(self) -> bool:
        """Ends the watch; false where it had ended before."""
        was_open, self._open = self._open, False
        if was_open:
            self._end_time = self._clock.monotonic()
            self._watchdog.close()
            if self.on_close is not None:
                self.on_close()
        return was_open
