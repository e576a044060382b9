"""The measurements: loads in interleaved rounds, memory under held streams, time from start to the first answer.

In: started or startable programs and scenarios. Out: samples, one for each program and round.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks import answers, load_grpc, load_rest
from benchmarks.process import Cores, Running, started
from benchmarks.programs import Kind
from benchmarks.provider import SLOW_PACE_S
from benchmarks.scenarios import Scenario

Say = Callable[[str], None]

HELD_STREAMS = 1000
# What a program does for a request just after answering it is counted too.
_SETTLE_S = 0.1
_IDLE_S = 1.0
_HOLD_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one load on one program brought."""

    face: str
    scenario: str
    program: str
    round: int
    requests: int
    chunks: int
    requests_per_s: float
    cpu_us_per_request: float
    p50_ms: float
    p99_ms: float

    @property
    def cpu_us_per_chunk(self) -> float:
        """The CPU time of a stream shared out among its chunks; 0 for an unstreamed answer."""
        return self.cpu_us_per_request / self.chunks if self.chunks else 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of one program's processes: idle, with streams held, and some time after they ended."""

    program: str
    idle_mb: float
    held_mb: float
    after_mb: float
    after_s: float


@dataclass(frozen=True, slots=True)
class Start:
    """How long one start took, to the first right answer; None when none came."""

    program: str
    round: int
    duration_s: float | None


async def loads(scenario: Scenario, programs: Sequence[Running], provider: Running, rounds: int, say: Say) -> list[Sample]:
    """Runs a scenario on every program, in rounds: each program once, then each once more.

    Raises: WrongAnswer; TimeoutError when a load hangs. Both say which program it was.
    """
    say(f"{scenario.face}: {scenario.key}")
    loaded = [provider, *programs] if scenario.direct else programs
    for program in loaded:
        await _load(scenario, program, max(scenario.concurrency, scenario.requests // 10))
    return [await _sample(scenario, program, number) for number in range(1, rounds + 1) for program in loaded]


async def memory(kind: Kind, provider: Running, cores: Cores, home: Path, after_s: float, say: Say) -> Memory:
    """Starts a program afresh and reads its memory idle, while it holds streams, and `after_s` seconds after they ended.

    Idle memory is read once it has given one answer and one stream, so that what it loads on first use is in it.
    """
    say(f"memory: {kind.name} with {HELD_STREAMS} slow streams, and {after_s:.0f} s after them")
    with started(kind.build(provider.program.port), cores.measured, home / f"memory-{kind.name}") as program:
        await program.wait_for_answer()
        burst = load_rest.chat_request(answers.BURST_MODEL, stream=True)
        await load_rest.load(program.program.port, burst, load_rest.STREAM, 1, 1)
        await asyncio.sleep(_IDLE_S)
        idle = program.rss_bytes()
        held = await _hold(program, provider)
        await asyncio.sleep(after_s)
        return Memory(kind.name, _mb(idle), _mb(held), _mb(program.rss_bytes()), after_s)


async def start(kind: Kind, provider: Running, cores: Cores, home: Path, number: int, say: Say) -> Start:
    """Starts a program in a new and empty home and waits for its first answer."""
    say(f"start: {kind.name}, round {number}")
    with started(kind.build(provider.program.port), cores.measured, home / f"start-{kind.name}-{number}") as program:
        return Start(kind.name, number, await program.wait_for_answer())


async def _sample(scenario: Scenario, program: Running, number: int) -> Sample:
    cpu_before_s = program.cpu_s()
    load = await _load(scenario, program, scenario.requests)
    await asyncio.sleep(_SETTLE_S)
    cpu_s = program.cpu_s() - cpu_before_s
    latencies_s = sorted(load.latencies_s)
    return Sample(
        face=scenario.face,
        scenario=scenario.key,
        program=program.program.name,
        round=number,
        requests=load.requests,
        chunks=answers.CHUNK_COUNT if scenario.stream else 0,
        requests_per_s=load.requests / load.duration_s,
        cpu_us_per_request=cpu_s / load.requests * 1e6,
        p50_ms=_percentile(latencies_s, 0.50) * 1e3,
        p99_ms=_percentile(latencies_s, 0.99) * 1e3,
    )


async def _load(scenario: Scenario, program: Running, requests: int) -> load_rest.Load:
    try:
        if scenario.face == "grpc":
            port = program.program.grpc_port
            return await load_grpc.load(port, scenario.model, scenario.stream, requests, scenario.concurrency)
        prompt = ("The quick brown fox jumps over the lazy dog. " * (scenario.prompt_bytes // 45 + 1))[
            : scenario.prompt_bytes
        ]
        request = load_rest.chat_request(scenario.model, scenario.stream, prompt or "Hello!", program.api_key)
        expectation = load_rest.STREAM if scenario.stream else load_rest.UNARY
        return await load_rest.load(program.program.port, request, expectation, requests, scenario.concurrency)
    except load_rest.WrongAnswer as error:
        raise load_rest.WrongAnswer(f"{program.program.name}, {scenario.face} {scenario.key}: {error}") from error
    except TimeoutError as error:
        raise TimeoutError(
            f"{program.program.name}, {scenario.face} {scenario.key}: not all answers came in time"
        ) from error


async def _hold(program: Running, provider: Running) -> int:
    """Opens the slow streams, reads the memory while all are open, ends them, and checks that each ended properly."""
    port = program.program.port
    request = load_rest.chat_request(answers.SLOW_MODEL, stream=True)
    streams = asyncio.create_task(
        load_rest.load(port, request, load_rest.SLOW_STREAM, HELD_STREAMS, HELD_STREAMS, timeout_s=2 * _HOLD_TIMEOUT_S)
    )
    try:
        async with asyncio.timeout(_HOLD_TIMEOUT_S):
            while not streams.done():
                if await _open_streams(provider) == HELD_STREAMS:
                    break
                await asyncio.sleep(0.1)
        # Long enough for every stream to have brought a chunk after its first.
        await asyncio.sleep(0 if streams.done() else SLOW_PACE_S + 0.5)
        held = program.rss_bytes()
        await _get(provider, "/finish")
        await streams
    except TimeoutError as error:
        held_count = await _open_streams(provider)
        raise load_rest.WrongAnswer(f"{program.program.name} held {held_count} of {HELD_STREAMS} streams") from error
    except load_rest.WrongAnswer as error:
        raise load_rest.WrongAnswer(f"{program.program.name}, slow streams: {error}") from error
    finally:
        streams.cancel()
        await asyncio.gather(streams, return_exceptions=True)
    return held


async def _open_streams(provider: Running) -> int:
    streams = orjson.loads(await _get(provider, "/stats"))["streams"]
    assert isinstance(streams, int)
    return streams


async def _get(provider: Running, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.program.port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        return await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    finally:
        writer.close()


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _mb(size_bytes: int) -> float:
    return size_bytes / 1_000_000
