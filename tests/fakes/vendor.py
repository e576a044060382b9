"""A vendor on a local port that answers what a test tells it to, and remembers what it was asked.

    async with ScriptedVendor() as vendor:
        vendor.add(Text("Hello there").with_fault(Stall(after_events=2)))
        ...                       # the thing under test calls vendor.url with vendor.key
        await vendor.stalled()    # two events are out, and no more will come
        vendor.release()

It runs in the loop of the test, speaks real HTTP/1.1 with OpenAI's and Anthropic's dialects, and refuses what they refuse.
Leaving it closes everything, and fails the test if a client broke a protocol without the test expecting so.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.fakes.answers import Scripted, Wire
from tests.fakes.anthropic_dialect import AnthropicDialect
from tests.fakes.bedrock_dialect import BedrockDialect
from tests.fakes.cohere_dialect import CohereDialect
from tests.fakes.dialect import Call, Dialect, Refused
from tests.fakes.faults import Fault, with_faults
from tests.fakes.gemini_dialect import GeminiDialect
from tests.fakes.http1 import Connection, Http1Server
from tests.fakes.http1_request import BadRequest, Request
from tests.fakes.legacy_dialect import LegacyDialect
from tests.fakes.ollama_dialect import OllamaDialect
from tests.fakes.openai_dialect import OpenAIDialect
from tests.fakes.plan import Data, Drop, Head, Pause, Plan, VendorError
from tests.fakes.watch import Watch

FROM_THE_QUEUE = {"chat", "completions", "embeddings", "images", "messages"}


@dataclass(slots=True)
class Exchange:
    """A request and how far its answer has come."""

    request: Request
    call: Call | None = None
    refused: VendorError | None = None
    events_sent: int = 0
    stalled: bool = False
    finished: bool = False  # the whole plan was carried out, a fault in it included
    disconnected: bool = False  # the client went before that


class ScriptedVendor:
    """The vendor: a queue of answers, an HTTP server, and a record of what came.

    Args:
        key: the only API key that is good.
        models: the models there are, for the lists and for 404; any name is one when empty.
        strict: whether OpenAI's side refuses fields that its schema doesn't name.
        default: makes the answer when the queue is empty; by default always the same text, vectors or image.
    """

    def __init__(
        self,
        *,
        key: str = "sk-scripted",
        models: Iterable[str] = (),
        strict: bool = False,
        default: Callable[[Call], Scripted] | None = None,
    ) -> None:
        self.key = key
        self.exchanges: list[Exchange] = []
        self.violations: list[str] = []
        self.active_requests = 0
        self._openai = OpenAIDialect(key, tuple(models), strict=strict)
        self._anthropic = AnthropicDialect(key, tuple(models))
        self._addressed: tuple[BedrockDialect | CohereDialect | GeminiDialect | LegacyDialect | OllamaDialect, ...] = (
            BedrockDialect(key, tuple(models)),
            CohereDialect(key, tuple(models)),
            GeminiDialect(key, tuple(models)),
            OllamaDialect(key, tuple(models)),
            *(LegacyDialect(name, key) for name in LegacyDialect.vendors),
        )
        self._default = default
        self._queue: deque[Scripted | Fault] = deque()
        self._by_path: dict[str, deque[Scripted | Fault]] = defaultdict(deque)
        self._expected: list[str] = []
        self._disconnected: deque[Exchange] = deque()
        self._permits = asyncio.Semaphore(0)
        self._watch = Watch()
        self._server = Http1Server(self._handle, self._watch)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.__aexit__(exc_type, exc, traceback)
        problems = self._problems()
        if not problems:
            return
        report = "; ".join(problems)
        if exc is not None:
            exc.add_note(f"the scripted vendor saw: {report}")
            return
        broken = [fault for fault in self._server.faults if not isinstance(fault, BadRequest)]
        raise AssertionError(f"the scripted vendor saw: {report}") from (broken[0] if broken else None)

    @property
    def url(self) -> str:
        """The address without a path: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def requests(self) -> list[Request]:
        """Every request that came, refused ones too, in the order they came whole."""
        return [exchange.request for exchange in self.exchanges]

    @property
    def open_connections(self) -> int:
        return len(self._server.connections)

    @property
    def pending_answers(self) -> int:
        """How many queued answers nobody has asked for yet."""
        return len(self._queue) + sum(len(queue) for queue in self._by_path.values())

    def add(self, *answers: Scripted | Fault, path: str | None = None) -> None:
        """Queues answers, one for each request to come; a fault alone befalls the default answer.

        Args:
            answers: taken in order by requests that make something; lists, counts and refused requests take none.
            path: queues for this path alone, which may also be a list, or one that no dialect knows.
        """
        (self._queue if path is None else self._by_path[path]).extend(answers)

    def expect_violation(self, fragment: str) -> None:
        """Says that a client will break the protocol, with a part of the vendor's words about it."""
        self._expected.append(fragment)

    def release(self, count: int = 1) -> None:
        """Lets so many stalled answers go on, the longest waiting first; ones that have yet to stall count too."""
        for _ in range(count):
            self._permits.release()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds; it is looked at whenever something happens to the vendor."""
        await self._watch.until(condition)

    async def wait_for_requests(self, count: int) -> None:
        """Returns once so many requests have come in all."""
        await self.wait_until(lambda: len(self.exchanges) >= count)

    async def wait_idle(self) -> None:
        """Returns once no request is being answered."""
        await self.wait_until(lambda: self.active_requests == 0)

    async def stalled(self, count: int = 1) -> None:
        """Returns once so many answers stand still."""
        await self.wait_until(lambda: sum(exchange.stalled for exchange in self.exchanges) >= count)

    async def next_disconnect(self) -> Exchange:
        """Returns the next exchange, not told of yet, whose client went while it was being answered."""
        await self.wait_until(lambda: bool(self._disconnected))
        return self._disconnected.popleft()

    async def _handle(self, request: Request, connection: Connection) -> None:
        exchange = Exchange(request)
        self.exchanges.append(exchange)
        self.active_requests += 1
        self._watch.notify()
        try:
            await self._answer(exchange, connection)
            exchange.finished = True
        finally:
            self.active_requests -= 1
            exchange.stalled = False
            if connection.client_gone and not exchange.finished:
                exchange.disconnected = True
                self._disconnected.append(exchange)
            self._watch.notify()

    async def _answer(self, exchange: Exchange, connection: Connection) -> None:
        dialect = self._dialect(exchange.request)
        serial = len(self.exchanges)
        try:
            exchange.call = self._checked(dialect, exchange.request, serial)
        except Refused as refused:
            exchange.refused = refused.error
            if refused.violation:
                self.violations.append(f"{exchange.request.method} {exchange.request.path}: {refused.error.message}")
            await self._carry_out(with_faults(dialect.error(refused.error, serial), ()), exchange, connection)
            return
        scripted = self._next(exchange.call)
        if isinstance(scripted, Wire):
            await connection.write(scripted.data, last=True)
            connection.close()
            return
        answer = dialect.default(exchange.call) if isinstance(scripted, Fault) else scripted
        assert not isinstance(answer, Wire)
        faults = (scripted,) if isinstance(scripted, Fault) else answer.faults
        await self._carry_out(with_faults(dialect.plan(exchange.call, answer), faults), exchange, connection)

    async def _carry_out(self, plan: Plan, exchange: Exchange, connection: Connection) -> None:
        chunked = plan.header("transfer-encoding") == "chunked"
        end = b"0\r\n\r\n" if chunked else b""
        for place, step in enumerate(plan.steps, 1):
            last = place == len(plan.steps)
            match step:
                case Head():
                    await connection.write(plan.head_bytes() + (end if last else b""), last=last)
                case Data():
                    data = _chunk(step.data) if chunked else step.data
                    await connection.write(data + (end if last else b""), last=last)
                    exchange.events_sent += step.events
                    self._watch.notify()
                case Pause():
                    await self._pause(exchange)
                    if last:
                        await connection.write(end, last=True)
                case Drop():
                    exchange.finished = True
                    (connection.reset if step.reset else connection.close)()

    async def _pause(self, exchange: Exchange) -> None:
        exchange.stalled = True
        self._watch.notify()
        await self._permits.acquire()
        exchange.stalled = False

    def _dialect(self, request: Request) -> Dialect:
        for dialect in self._addressed:
            if dialect.addressed(request):
                return dialect
        # Both dialects list models under one path; only Anthropic's clients send a version, or a key of this name.
        of_anthropic = "anthropic-version" in request.headers or "x-api-key" in request.headers
        messages = request.path.startswith("/v1/messages")
        listing = request.path.startswith("/v1/models")
        return self._anthropic if messages or (listing and of_anthropic) else self._openai

    def _checked(self, dialect: Dialect, request: Request, serial: int) -> Call:
        if request.path in self._by_path and not dialect.serves(request.path):
            dialect.check_key(request)
            return Call("other", request, "", stream=False, serial=serial)
        return dialect.check(request, serial)

    def _next(self, call: Call) -> Scripted | Fault:
        for_path = self._by_path.get(call.request.path)
        if for_path:
            return for_path.popleft()
        if call.operation in FROM_THE_QUEUE and self._queue:
            return self._queue.popleft()
        if self._default is not None and call.operation in FROM_THE_QUEUE:
            return self._default(call)
        return self._dialect(call.request).default(call)

    def _problems(self) -> list[str]:
        found = [*self.violations, *(f"{fault!r}" for fault in self._server.faults)]
        unexpected = [text for text in found if not any(fragment in text for fragment in self._expected)]
        unseen = [fragment for fragment in self._expected if not any(fragment in text for text in found)]
        return unexpected + [f"nothing about {fragment!r}, which was expected" for fragment in unseen]


def _chunk(data: bytes) -> bytes:
    """Returns bytes as a chunk of a body; no bytes are no chunk, since an empty one would be the last."""
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""
