"""Requests with an idempotency key: the same request is answered once, however often it is made within 24 hours.

A key is its caller's own. The first call with it is answered in a task of its own; calls that repeat it read what that one
was told, from the beginning, each at its own pace, and what is whole is kept in the database. Failures are not kept, also
where money was spent: the same call made again is another one. Nothing half is ever given again: a call that all its callers
left is ended and forgotten.

An answer that is whole goes through these steps, each durable before the next begins:

1. It is kept, in the row of its key.
2. Its completion is settled in the ledger, as completed.
3. Its callers are told that it ended.

So no completion is settled as completed whose answer is not there, whenever the process dies. Where it dies before the first
step, no caller had the whole answer: the ledger ends the completion as interrupted, and the same request made again is
another one, at once on the same host, and elsewhere once the dead process's lease on the row has ended. Where it dies after
that, the same request is given the kept answer, and is not paid again; what the ledger ends as interrupted then is the one
payment. Where the database fails at the first step, the answer is given all the same; from here it is given again, too,
while it is kept as soon as the database is back. Only a process that dies in that time takes an answer with it that was paid
for.
"""

import asyncio
from asyncio import sleep as asyncio_sleep
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial

import structlog

from server.call import Call
from server.clock import Clock
from server.errors import GatewayError
from server.policies.chaos_stream import Sleep
from server.policies.idempotency_answer import Answer, pack, unpack
from server.policies.idempotency_key import another_body, body_digest, key_of, row_id, too_large
from server.policies.idempotency_record import MOST_BYTES
from server.policies.idempotency_run import Begin, Run
from server.policies.idempotency_store import RENEW_S, Kept, Store
from server.providers.base import Ask, Batch
from server.storage.database import Database
from server.storage.errors import StorageError
from server.tenancy.failing import unavailable
from trunkline.v1.error_reason_pb2 import ErrorReason

_KEEP_AGAIN_S = 1.0
"""How soon an answer is kept that could not be."""
_LOOK_AGAIN_S = (0.05, 1.0)
"""How soon to look whether another process has answered, at first and at most."""


class Idempotency:
    """Answers requests with keys.

    Args:
        database: where answers are kept.
        clock: tells the time.
        worker: this process's id, from `find_worker_id`.
        sleep: waits for some seconds.
        most_bytes: how large an answer may be that is recorded.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        worker: str,
        sleep: Sleep = asyncio_sleep,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = Store(database, clock, worker)
        self._sleep = sleep
        self._most_bytes = most_bytes
        self._log = structlog.get_logger("trunkline.idempotency")
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._closing = False

    async def stream(self, ask: Ask, call: Call, begin: Begin) -> AsyncGenerator[Batch, None]:
        """Answers a request whose metadata has a key, as `begin` would, or as it was answered.

        Yields:
            The batches of the call that was made first.

        Raises:
            GatewayError: INVALID_REQUEST for what is no key, and for several; ALREADY_EXISTS where the key was used for
                another request, or the answer was too large to keep; OVERLOADED where the database fails; else as `begin`.
        """
        key = key_of(call)
        call.notes["model"] = ask.model
        row, digest = row_id(call.caller, key), body_digest(ask)
        while (run := self._runs.get(row)) is not None and run.leaving:
            await run.gone.wait()
        if run is None:
            self._runs[row] = run = Run(key, row, digest, call, self._most_bytes)
            reader = run.record.reader()
            run.task = asyncio.create_task(self._answer(run, ask, begin))
            self._tasks.add(run.task)
            run.task.add_done_callback(partial(self._ended, run))
        elif run.digest != digest:
            raise another_body(key)
        elif not run.record.kept:
            raise too_large(key)
        else:
            reader = run.record.reader()
        async with aclosing(run.listen(ask, call, reader)) as batches:
            async for batch in batches:
                yield batch

    async def close(self) -> None:
        """Ends what still runs; answers that are whole are kept first, as far as the database takes them."""
        self._closing = True
        for run in self._runs.values():
            if not run.leaving and (run.record.ended or not run.whole):
                run.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _answer(self, run: Run, ask: Ask, begin: Begin) -> None:
        """A run from its begin to its end."""
        try:
            answer = await self._claim(run)
            if answer is None:
                self._renew_leases()
                await run.ask(ask, begin, partial(self._keep, run))
                run.record.end()
                while run.claimed and not self._closing:  # the database failed
                    await self._sleep(_KEEP_AGAIN_S)
                    await self._keep(run)
            else:
                run.old = run.whole = True
                run.record.fill(answer)
        except asyncio.CancelledError:
            if not run.record.ended:
                stopping = "The gateway is stopping."
                run.record.end(GatewayError(ErrorReason.ERROR_REASON_OVERLOADED, stopping, retry_after_s=1.0))
            raise
        except Exception as error:
            run.record.end(error)
        finally:
            run.leaving = True
            await self._leave(run)

    async def _claim(self, run: Run) -> Answer | None:
        """Makes the row ours, or waits until another process has answered. None: it is ours, and nothing is answered."""
        delay_s, longest_s = _LOOK_AGAIN_S
        while True:
            run.claimed = True
            try:
                kept = await self._store.claim(run.row_id, run.digest)
            except StorageError as error:
                self._log.error("storage_failed", error=str(error))
                raise unavailable() from error
            if kept is None:
                return None
            run.claimed = False
            if (answer := await _answer_of(run, kept)) is not None:
                return answer
            await self._sleep(delay_s)
            delay_s = min(2 * delay_s, longest_s)

    async def _keep(self, run: Run) -> None:
        """Keeps an answer that is whole. The row stays claimed where the database fails."""
        record = run.record
        packed = await pack(record.answer()) if record.kept else None
        try:
            await self._store.finish(run.row_id, run.digest, packed)
            run.claimed = False
        except StorageError as error:
            if not record.ended or run.leaving:  # not at each try
                self._log.error("answer_not_kept", error=str(error))

    async def _leave(self, run: Run) -> None:
        """Gives back what a run held that has ended, and looks whether there is something old to delete."""
        try:
            if run.claimed and run.whole:
                await self._keep(run)
            elif run.claimed:
                await self._store.forget(run.row_id)
        except StorageError as error:
            self._log.error("row_not_given_back", error=str(error))
        finally:
            run.claimed = False
            self._remove(run)
            if self._renewing is not None and not any(other.claimed for other in self._runs.values()):
                self._renewing.cancel()
        with suppress(StorageError):
            await self._store.sweep()

    def _ended(self, run: Run, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._remove(run)  # it is there still where the task was cancelled before it began

    def _remove(self, run: Run) -> None:
        """Lets another run take the place of one that has ended."""
        if self._runs.get(run.row_id) is run:
            del self._runs[run.row_id]
        run.gone.set()

    def _renew_leases(self) -> None:
        """Begins to renew leases, where that is not done yet."""
        if self._renewing is None or self._renewing.done() or self._renewing.cancelling():
            self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        while True:
            await self._sleep(RENEW_S)
            rows = [run.row_id for run in self._runs.values() if run.claimed]
            try:
                await self._store.renew(rows)
            except StorageError as error:
                self._log.warning("leases_not_renewed", error=str(error))


async def _answer_of(run: Run, kept: Kept) -> Answer | None:
    """The answer in a row that somebody else made; None: it is not there yet.

    Raises:
        GatewayError: ALREADY_EXISTS.
    """
    if kept.digest != run.digest:
        raise another_body(run.key)
    if not kept.done:
        return None
    if kept.answer is None:
        raise too_large(run.key)
    return await unpack(kept.answer)
