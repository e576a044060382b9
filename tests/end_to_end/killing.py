"""A gateway that is killed at random moments under mixed load and started again, and what its ledger has to say then.

What the provider saw is the truth: each of its requests has one row, and what limits count is the sum of the rows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
from sqlalchemy import func, insert, select

from server.ledger.estimate import USUAL_OUTPUT, estimate
from server.storage.database import Database
from server.storage.tables import BUDGETS, COMPLETIONS, QUOTAS
from tests.end_to_end.command import LIMIT_S, Command, run
from tests.end_to_end.holders import TIMES, add_holder
from tests.end_to_end.rows import see_rows, wait_for_rows
from tests.end_to_end.running import config, row, write_config
from tests.fakes.answers import Scripted, Text, Usage
from tests.fakes.dialect import Call
from tests.fakes.faults import Stall
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o"
LIMIT = 1_000_000_000
"""Of the quota in tokens, and of the budget in millionths of a dollar, of which each token costs one."""

_PRICE = {"cost_per_1k_input_tokens": 0.001, "cost_per_1k_output_tokens": 0.001}
LEFT_WHOLE, LEFT_STREAM = "left-whole", "left-stream"
_KINDS = ("whole", "whole", "whole", "stream", "stream", "stream", LEFT_WHOLE, LEFT_STREAM)
_CALLERS = 12
_REQUESTS_AT_MOST = 100
_MOMENT_S = 0.02
_PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with one key, and either a quota or a budget.

    Attributes:
        id: the tenant's.
        key: its key.
        code: of the error that refuses what is too much.
    """

    id: str
    key: str
    code: str


TENANTS_WITH = (Tenant("counted", "llm_counted", "quota_exceeded"), Tenant("priced", "llm_priced", "budget_exceeded"))


@dataclass(slots=True)
class Killing:
    """One gateway's story.

    Attributes:
        folder: of its file and data.
        url: of its database; None: SQLite in its data folder.
        vendor: its provider, whose default answer is `answer`.
        chance: decides everything that is random.
        redis_url: of the Redis that counts; None: the gateway counts itself.
        finished: the requests whose callers had the whole answer.
        killed: how many requests were under way whenever it was killed.
        rows: how many there were at the last look.
        interrupted: how many of them nobody knows the end of.
    """

    folder: Path
    url: str | None
    vendor: ScriptedVendor
    chance: Random
    redis_url: str | None = None
    finished: set[str] = field(default_factory=set)
    killed: list[int] = field(default_factory=list)
    rows: int = 0
    interrupted: int = 0
    _count: int = 0

    def next_id(self) -> str:
        """The id of one more request; they are all of one length."""
        self._count += 1
        return f"r{self._count:09}"

    async def seen(self, id: str) -> None:
        """Returns once the provider has a request."""
        await self.vendor.wait_until(lambda: any(marks(request.body)[1] == id for request in self.vendor.requests[-200:]))

    async def prepare(self) -> None:
        """Writes the configuration and the tenants."""
        (self.folder / "data").mkdir(mode=0o700)
        sections: dict[str, object] = {} if self.url is None else {"storage": {"url": self.url}}
        if self.redis_url is not None:
            sections["redis"] = {"url": self.redis_url, "on_failure": "fail_closed", "timeout": 5}
        write_config(self.folder, config([row("first", self.vendor, [MODEL], **_PRICE)], None, **sections))
        database = await self._open()
        async with database.begin() as connection:
            for tenant in TENANTS_WITH:
                await add_holder(connection, tenant.id, tenant.key)
                allowance = {"id": tenant.id, "scope": "tenant", "scope_id": tenant.id, "period": "total", **TIMES}
                if tenant.code == "quota_exceeded":
                    await connection.execute(insert(QUOTAS), {**allowance, "token_limit": LIMIT})
                else:
                    money = {"display_name": "", "limit_micros": LIMIT, "enforced": True, "thresholds": "[]"}
                    await connection.execute(insert(BUDGETS), {**allowance, **money})
        await database.close()

    async def run_and_kill(self) -> None:
        """Starts the gateway, checks what the one before left, and kills it at a random moment."""
        async with self._running() as command:
            await self.check(command)
            load = Load(self, command.url)
            callers = load.begin()
            try:
                seen = len(self.vendor.requests) + self.chance.randint(1, _REQUESTS_AT_MOST)
                async with asyncio.timeout(LIMIT_S):
                    await self.vendor.wait_for_requests(seen)
                await asyncio.sleep(self.chance.random() * _MOMENT_S)
                command.process.kill()
                self.killed.append(load.under_way)
                await command.process.wait()
            finally:
                load.end()
                await asyncio.gather(*callers)
        await self.vendor.wait_idle()

    async def run_to_the_end(self, count: int) -> None:
        """Starts the gateway, checks what the one before left, and what is there after more requests."""
        async with self._running() as command:
            await self.check(command)
            load = Load(self, command.url, count)
            await asyncio.gather(*load.begin())
            await self._all_settled()
            await self.check(command)

    async def check(self, command: Command) -> None:
        """Compares rows with what the provider and the callers saw, and with what is counted."""
        database = await self._open()
        try:
            await self._check_rows(database)
            for tenant in TENANTS_WITH:
                await self._check_counted(database, tenant, command.url)
        finally:
            await database.close()

    async def _check_rows(self, database: Database) -> None:
        rows = await see_rows(database)
        states = {row.request_id: (row.state, row.status) for row in rows}
        seen = self._asked()
        assert [id for id, times in seen.items() if times > 1] == []
        assert sorted(seen.keys() - states.keys()) == [], "the provider saw them, and they have no row"
        assert {state for state, _ in states.values()} <= {"settled", "interrupted"}
        assert {states[id] for id in self.finished} <= {("settled", "completed")}
        self.interrupted = sum(state == "interrupted" for state, _ in states.values())
        self.rows = len(rows)

    def _asked(self) -> Counter[str]:
        """The ids that the provider saw, and how often."""
        return Counter(marks(request.body)[1] for request in self.vendor.requests)

    async def _check_counted(self, database: Database, tenant: Tenant, url: str) -> None:
        """Asks for one more than is left, and then for all that is left."""
        tokens, micros = COMPLETIONS.c.input_tokens + COMPLETIONS.c.output_tokens, COMPLETIONS.c.cost_micros
        used = tokens if tenant.code == "quota_exceeded" else micros
        query = select(func.coalesce(func.sum(func.coalesce(used, 0)), 0)).where(COMPLETIONS.c.tenant_id == tenant.id)
        async with database.read() as connection:
            left = LIMIT - int((await connection.execute(query)).scalar_one())
        id = self.next_id()
        body = ask(_PROBE, id)
        left -= estimate(
            ChatCompletionRequest(model=MODEL, messages=[Message(role="user", content=f"{_PROBE} {id}")])
        ).tokens
        left += USUAL_OUTPUT
        async with aiohttp.ClientSession(url, headers=headers(tenant, id)) as session:
            async with session.post(CHAT, json={**body, "max_tokens": left + 1}) as response:
                told = await response.json()
                assert (response.status, told.get("error", {}).get("code")) == (403, tenant.code), told
            async with session.post(CHAT, json={**body, "max_tokens": left}) as response:
                assert response.status == 200, await response.text()
        self.finished.add(id)

    async def _all_settled(self) -> None:
        """Returns once all rows are there and none is open: callers that left do not wait for theirs."""
        database, asked = await self._open(), self._asked().keys()
        try:
            await wait_for_rows(database, lambda rows: asked <= {row.request_id for row in rows})
        finally:
            await database.close()

    async def _open(self) -> Database:
        return await Database.open(self.url, self.folder / "data")

    def _running(self) -> AbstractAsyncContextManager[Command]:
        return run(self.folder, "--config", str(self.folder / "config.yaml"), "--port", "0", "--grpc-port", "0")


class Load:
    """Callers that ask one thing after another: whole answers and streams, and some leave before the end.

    Args:
        killing: whose gateway it is.
        url: where that is.
        count: how many requests; None: until they are ended.
    """

    def __init__(self, killing: Killing, url: str, count: int | None = None) -> None:
        self.under_way = 0
        self._killing = killing
        self._url = url
        self._left = count
        self._over = False

    def begin(self) -> "list[asyncio.Task[None]]":
        """Sends the callers."""
        return [asyncio.ensure_future(self._call(Random(self._killing.chance.random()))) for _ in range(_CALLERS)]

    def end(self) -> None:
        """Lets them ask nothing more."""
        self._over = True

    async def _call(self, chance: Random) -> None:
        async with aiohttp.ClientSession(self._url) as session:
            while not self._over and self._left != 0:
                if self._left is not None:
                    self._left -= 1
                self.under_way += 1
                try:
                    await self._ask(session, chance.choice(_KINDS), chance.choice(TENANTS_WITH))
                except (aiohttp.ClientError, ConnectionError):
                    return  # it was killed
                finally:
                    self.under_way -= 1

    async def _ask(self, session: aiohttp.ClientSession, kind: str, tenant: Tenant) -> None:
        id = self._killing.next_id()
        asked = session.post(CHAT, json=ask(kind, id), headers=headers(tenant, id))
        if kind == LEFT_WHOLE:
            await self._leave(asyncio.ensure_future(_read(asked)), id)
            return
        async with asked as response:
            assert response.status == 200, await response.text()
            if kind == LEFT_STREAM:
                await response.content.readuntil(b"\n\n")
                response.close()
                return
            body = await response.read()
        assert kind != "stream" or body.endswith(b"data: [DONE]\n\n"), body
        self._killing.finished.add(id)

    async def _leave(self, asking: "asyncio.Task[None]", id: str) -> None:
        """Leaves once the provider was asked, which does not answer."""
        seen = asyncio.ensure_future(self._killing.seen(id))
        await asyncio.wait((asking, seen), return_when=asyncio.FIRST_COMPLETED)
        for task in (asking, seen):
            task.cancel()
        results = await asyncio.gather(asking, seen, return_exceptions=True)
        if isinstance(results[0], aiohttp.ClientError | ConnectionError):
            raise results[0]


def answer(chance: Random) -> Callable[[Call], Scripted]:
    """How the provider answers: what it was asked by who means to leave it never ends."""

    def scripted(call: Call) -> Scripted:
        text = Text("Hello there all of you", usage=Usage(chance.randint(1, 500), chance.randint(1, 200)))
        kind, _ = marks(call.body)
        if kind == LEFT_WHOLE:
            return text.with_fault(Stall())
        return text.with_fault(Stall(after_events=2)) if kind == LEFT_STREAM else text

    return scripted


def ask(kind: str, id: str) -> dict[str, object]:
    """The body of a request, which says what it is."""
    message = {"role": "user", "content": f"{kind} {id}"}
    return {"model": MODEL, "messages": [message], "stream": "stream" in kind, "max_tokens": 50}


def marks(body: JsonObject) -> tuple[str, str]:
    """The kind and the id of a request that the provider got."""
    kind, id = body["messages"][0]["content"].split()
    return kind, id


def headers(tenant: Tenant, id: str) -> dict[str, str]:
    """The key and the id of a request."""
    return {"Authorization": f"Bearer {tenant.key}", "x-request-id": id}


async def _read(asked: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
    async with asked as response:
        await response.read()
