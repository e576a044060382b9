"""The REST load generator: sends one request over and over on a number of connections, and checks every answer.

In: where to send, what, how often, on how many connections at once. Out: how long each answer took.
A wrong answer (status, length, terminator, a piece of content that is missing) ends the load with WrongAnswer.
Refuses to know who answers: the provider itself, the floor, the gateway and the rivals are all loaded by this one file.
"""

import asyncio
import gc
import time
from dataclasses import dataclass
from functools import partial
from typing import cast

import orjson

from benchmarks import answers

API_KEY = "bench-key"
_STREAM_TAIL = b"\r\n" + answers.STREAM_END
# Connections are opened in groups with a pause between: a full accept queue (Sanic's holds 100) costs a whole second.
_CONNECT_GROUP = 25
_CONNECT_PAUSE_S = 0.01
_SHOWN_BYTES = 600


class WrongAnswer(Exception):
    """An answer that is not the one the scripted provider gave."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one load brought."""

    requests: int
    duration_s: float
    latencies_s: list[float]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a right answer holds: whether it is a stream, and how often which piece of content stands in it."""

    stream: bool
    mark: bytes
    mark_count: int
    at_least: bool = False


UNARY = Expectation(stream=False, mark=answers.ANSWER_MARK, mark_count=1)
STREAM = Expectation(stream=True, mark=answers.CHUNK_MARK, mark_count=answers.TEXT_CHUNK_COUNT)
# A slow stream is ended from outside, after as many chunks as there were by then.
SLOW_STREAM = Expectation(stream=True, mark=b"data: ", mark_count=3, at_least=True)


def chat_request(model: str, stream: bool, prompt: str = "Hello!", api_key: str = API_KEY) -> bytes:
    """Returns a whole HTTP request for a chat completion."""
    body = orjson.dumps({"model": model, "messages": [{"role": "user", "content": prompt}], "stream": stream})
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        f"Authorization: Bearer {api_key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(
    port: int, request: bytes, expectation: Expectation, requests: int, concurrency: int, timeout_s: float = 120.0
) -> Load:
    """Sends the request `requests` times on `concurrency` connections and returns when every answer was checked.

    Raises: WrongAnswer at the first answer that is wrong; TimeoutError; OSError when nobody listens.
    """
    loop = asyncio.get_running_loop()
    run = _Run(request, expectation, requests, concurrency, loop.create_future())
    connections: list[_Connection] = []
    async with asyncio.timeout(timeout_s):
        try:
            while len(connections) < concurrency:
                group = min(_CONNECT_GROUP, concurrency - len(connections))
                opened = await asyncio.gather(
                    *(loop.create_connection(partial(_Connection, run), "127.0.0.1", port) for _ in range(group))
                )
                connections += [connection for _, connection in opened]
                if len(connections) < concurrency:
                    await asyncio.sleep(_CONNECT_PAUSE_S)
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            for connection in connections:
                connection.send()
            await run.done
            return Load(requests, run.end - start, run.latencies_s)
        finally:
            gc.enable()
            for connection in connections:
                connection.transport.abort()


class _Run:
    """What the connections of one load share."""

    def __init__(
        self, request: bytes, expectation: Expectation, requests: int, concurrency: int, done: asyncio.Future[None]
    ) -> None:
        self.request = request
        self.expectation = expectation
        self.unsent = requests
        self.busy = concurrency
        self.done = done
        self.end = 0.0
        self.latencies_s: list[float] = []

    def rest(self) -> None:
        """Counts a connection that has nothing left to send."""
        self.busy -= 1
        if self.busy == 0 and not self.done.done():
            self.end = time.perf_counter()
            self.done.set_result(None)

    def fail(self, problem: str, answer: bytes) -> None:
        """Ends the load."""
        if not self.done.done():
            shown = (
                answer
                if len(answer) <= _SHOWN_BYTES
                else answer[: _SHOWN_BYTES // 2] + b" ... " + answer[-_SHOWN_BYTES // 2 :]
            )
            self.done.set_exception(WrongAnswer(f"{problem}; the answer: {shown!r}"))


class _Connection(asyncio.Protocol):
    """One connection: a request, its whole answer, the next request."""

    transport: asyncio.Transport

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = bytearray()
        self._sent_at = 0.0
        self._waiting = False
        self._body_start = 0
        self._end = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.fail("the connection was closed before the answer was complete", bytes(self._buffer))

    def send(self) -> None:
        """Sends the next request, or rests when there is none."""
        run = self._run
        if run.unsent <= 0:
            self._waiting = False
            run.rest()
            return
        run.unsent -= 1
        self._buffer = bytearray()
        self._body_start = 0
        self._waiting = True
        self._sent_at = time.perf_counter()
        self.transport.write(run.request)

    def data_received(self, data: bytes) -> None:
        run = self._run
        buffer = self._buffer
        buffer += data
        if self._body_start == 0 and not self._read_head():
            return
        if self._end >= 0:
            if len(buffer) < self._end:
                return
        elif not buffer.endswith(_STREAM_TAIL):
            return
        latency_s = time.perf_counter() - self._sent_at
        problem = self._check()
        if problem is not None:
            self._waiting = False
            run.fail(problem, bytes(buffer))
            return
        run.latencies_s.append(latency_s)
        self.send()

    def _read_head(self) -> bool:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        head = bytes(self._buffer[:head_end]).lower()
        self._body_start = head_end + 4
        start = head.find(b"\r\ncontent-length:")
        self._end = self._body_start + int(head[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else -1
        return True

    def _check(self) -> str | None:
        """Says what is wrong with a complete answer, or None."""
        buffer, wanted = self._buffer, self._run.expectation
        if not buffer.startswith(b"HTTP/1.1 200 "):
            return "the status is not 200"
        if self._end >= 0 and len(buffer) != self._end:
            return "more came than Content-Length says"
        body = bytes(buffer[self._body_start :]) if self._end >= 0 else unframed(bytes(buffer[self._body_start :]))
        if body is None:
            return "the chunked body is not well formed"
        if wanted.stream and not body.endswith(answers.DONE_EVENT):
            return "the stream did not end with [DONE]"
        if not wanted.stream and not (body.startswith(b"{") and body.endswith(b"}")):
            return "the body is not one JSON object"
        count = body.count(wanted.mark)
        if count != wanted.mark_count and not (wanted.at_least and count > wanted.mark_count):
            return f"{wanted.mark!r} stands in it {count} times instead of {wanted.mark_count}"
        return None


def unframed(framed: bytes) -> bytes | None:
    """Returns the data of a whole chunked HTTP body, or None where its frames are wrong."""
    pieces: list[bytes] = []
    position = 0
    try:
        while True:
            line_end = framed.index(b"\r\n", position)
            size = int(framed[position:line_end], 16)
            start = line_end + 2
            position = start + size + 2
            if framed[start + size : position] != b"\r\n":
                return None
            if size == 0:
                return b"".join(pieces) if position == len(framed) else None
            pieces.append(framed[start : start + size])
    except ValueError:
        return None
