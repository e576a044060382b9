"""The scripted provider: a server of OpenAI's dialect that is cheap enough never to be the bottleneck.

In: HTTP requests on the loopback. The request's `model` chooses the answer: `bench-unary` a chat completion of 600 bytes;
`bench-burst` a stream of 64 chunks in one write; `bench-paced` the same stream, one chunk each 5 ms; `bench-slow` a
stream of one chunk every few seconds that lasts until it is told to end. Streams tell their usage where they are asked to.
Beside them `GET /v1/models`, `GET /stats` (what is open now) and `GET /finish` (ends the slow streams properly).
Refuses to know keys, validation and the rest of HTTP: what it cannot read is answered with 404.

    python -m benchmarks.provider --port 9000
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

import orjson
import uvloop

from benchmarks import answers

PACE_S = 0.005
SLOW_PACE_S = 3.0
_SLOT_COUNT = 5


@dataclass(slots=True)
class Stats:
    """What is open now, and how many completions were asked for since the start."""

    connections: int = 0
    streams: int = 0
    requests: int = 0


class Pacer:
    """Sends every open stream its next chunk once per pace, with one timer for all streams.

    The streams are dealt out to slots, and each tick serves one slot, so that they do not all wake their readers at once.
    """

    def __init__(self, pace_s: float, frames: list[bytes], stats: Stats) -> None:
        """Takes the chunks of a stream as HTTP frames."""
        self._tick_s = pace_s / _SLOT_COUNT
        self._frames = frames
        self._stats = stats
        self._lasts: dict[Connection, bytes] = {}
        self._slots: list[dict[Connection, Iterator[bytes]]] = [{} for _ in range(_SLOT_COUNT)]
        self._next_slot = 0
        self._next_tick = 0.0
        self._ticking = False

    def open(self, connection: "Connection", last: bytes) -> None:
        """Begins a stream with its head and its first chunk; `last` is what follows its chunks."""
        self._lasts[connection] = last
        frames = iter(self._frames)
        connection.transport.write(answers.STREAM_HEAD + next(frames))
        min(self._slots, key=len)[connection] = frames
        self._stats.streams += 1
        if not self._ticking:
            self._ticking = True
            self._next_tick = time.monotonic()
            self._wait()

    def leave(self, connection: "Connection") -> None:
        """Forgets a connection that was lost."""
        for slot in self._slots:
            if slot.pop(connection, None) is not None:
                self._stats.streams -= 1
                del self._lasts[connection]

    def finish(self) -> None:
        """Ends every open stream now, properly: its last chunk, `[DONE]`, the end of the body."""
        for slot in self._slots:
            for connection in list(slot):
                connection.transport.write(self._frames[-1])
                self._end(slot, connection)

    def _wait(self) -> None:
        self._next_tick += self._tick_s
        asyncio.get_running_loop().call_later(max(0.0, self._next_tick - time.monotonic()), self._tick)

    def _tick(self) -> None:
        slot = self._slots[self._next_slot]
        self._next_slot = (self._next_slot + 1) % _SLOT_COUNT
        for connection, frames in list(slot.items()):
            frame = next(frames, None)
            if frame is None:
                self._end(slot, connection)
            else:
                connection.transport.write(frame)
        if any(self._slots):
            self._wait()
        else:
            self._ticking = False

    def _end(self, slot: "dict[Connection, Iterator[bytes]]", connection: "Connection") -> None:
        connection.transport.write(self._lasts.pop(connection))
        del slot[connection]
        self._stats.streams -= 1


class Script:
    """What the provider's connections share: the answers, the pacers, the counts."""

    def __init__(self) -> None:
        """Makes every answer once."""
        self.stats = Stats()
        self.unary = answers.json_answer(answers.unary_body())
        # A frame of HTTP's for each event, as vendors' servers send them, also where the network joins them.
        self.burst = answers.STREAM_HEAD + b"".join(map(answers.in_one_frame, answers.chunks(answers.BURST_MODEL)))
        self.models = answers.json_answer(
            orjson.dumps({"object": "list", "data": [{"id": model, "object": "model"} for model in answers.MODELS]})
        )
        self.paced = self._pacer(answers.PACED_MODEL, PACE_S)
        self.slow = self._pacer(answers.SLOW_MODEL, SLOW_PACE_S)

        done = answers.in_one_frame(answers.DONE_EVENT) + answers.STREAM_END
        self.lasts = {False: done, True: answers.in_one_frame(answers.usage_event()) + done}
        """What follows the chunks, by whether the usage was asked for."""

    def _pacer(self, model: str, pace_s: float) -> Pacer:
        return Pacer(pace_s, [answers.in_one_frame(chunk) for chunk in answers.chunks(model)], self.stats)


class Connection(asyncio.Protocol):
    """One connection of a caller; requests on it are answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, script: Script) -> None:
        """Takes what all connections share."""
        self._script = script
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts the connection."""
        self.transport = cast(asyncio.Transport, transport)
        self._script.stats.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Uncounts the connection, and its stream."""
        self._script.stats.connections -= 1
        self._script.paced.leave(self)
        self._script.slow.leave(self)

    def data_received(self, data: bytes) -> None:
        """Answers every request that is complete."""
        buffer = self._buffer
        buffer += data
        while (head_end := buffer.find(b"\r\n\r\n")) >= 0:
            end = head_end + 4 + _content_length(bytes(buffer[:head_end]))
            if len(buffer) < end:
                return
            request = bytes(buffer[:end])
            del buffer[:end]
            self._answer(request, head_end)

    def _answer(self, request: bytes, head_end: int) -> None:
        if request.startswith(b"POST "):
            self._complete(request, head_end)
        elif request.startswith(b"GET /stats "):
            stats = self._script.stats
            # The connection that asks is not counted.
            counts = {"connections": stats.connections - 1, "streams": stats.streams, "requests": stats.requests}
            self.transport.write(answers.json_answer(orjson.dumps(counts)))
        elif request.startswith(b"GET /finish "):
            self._script.slow.finish()
            self.transport.write(answers.json_answer(b"{}"))
        elif request.startswith(b"GET /v1/models "):
            self.transport.write(self._script.models)
        else:
            self.transport.write(answers.json_answer(b"{}", "404 Not Found"))

    def _complete(self, request: bytes, head_end: int) -> None:
        script = self._script
        script.stats.requests += 1
        start = request.find(b'"bench-', head_end)
        model = request[start + 1 : request.find(b'"', start + 1)].decode()
        last = script.lasts[b'"include_usage":true' in request]
        if model == answers.UNARY_MODEL:
            self.transport.write(script.unary)
        elif model == answers.BURST_MODEL:
            self.transport.write(script.burst + last)
        elif model == answers.PACED_MODEL:
            script.paced.open(self, last)
        elif model == answers.SLOW_MODEL:
            script.slow.open(self, last)
        else:
            self.transport.write(answers.json_answer(b'{"error":{"message":"unknown model"}}', "404 Not Found"))


def _content_length(head: bytes) -> int:
    head = head.lower()
    start = head.find(b"\r\ncontent-length:")
    return int(head[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


async def serve(port: int) -> asyncio.Server:
    """Opens the provider on the loopback; port 0 lets the system choose."""
    return await asyncio.get_running_loop().create_server(partial(Connection, Script()), "127.0.0.1", port, backlog=2048)


async def _main(port: int) -> None:
    async with await serve(port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The scripted provider of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_main(parser.parse_args().port))
