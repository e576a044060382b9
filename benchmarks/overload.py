"""Overload: three times what a provider takes, sent whether answers come or not. Under a minute:

    python -m benchmarks.overload [--quick] [--seconds 30] [--capacity 32] [--status 503]

The provider answers so many requests at once, each after a quarter of a second, and refuses the rest at once. First the
gateway gets as many callers as the provider takes: that is the peak. Then three times the peak, as an open load. Then four
fifths of it, to see how long it takes until all are answered again.

Prints what was answered beside the peak, how quickly the others were turned away, at the caller and inside the gateway, its
memory before, meanwhile and after, and the recovery. What a caller sees and the gateway does not is the machine's and the
generator's: how late the generator was itself, and how long both waited for their cores, is printed beside it.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import uvloop

from benchmarks import answers, programs
from benchmarks.callers import REFUSALS, URL_PATH, Callers, per_second, quantile_ms, recovered_s
from benchmarks.load_rest import API_KEY
from benchmarks.process import Cores, Running, allow_many_connections, choose_cores, pin, started, waited_s

SERVICE_S = 0.25
TIMES = 3.0
LONG_S = 30.0
QUICK_S = 5.0
CAPACITY = 32
STATUSES = (503, 429)
_AFTERWARDS = 0.8
_WARM_S = 1.0
_PEAK_S = 4.0
_RECOVERY_S = 6.0
_WINDOW_S = 0.5
_GOOD_SHARE = 0.98
_LOOK_S = 0.5
_ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Overload:
    """What one overload brought. Times in ms, memory in MB of 10^6 bytes.

    Attributes:
        seconds: how long it lasted.
        status: how the provider refused.
        peak_per_s: answers a second with as many callers as the provider takes.
        good_per_s: the same under overload.
        sent: how many requests it had.
        away: how many were turned away.
        without_hint: how many of those were not told when to come back.
        lost: how many got neither an answer nor a refusal.
        provider_refused: how many attempts the provider refused.
        inside_p50_ms, inside_p99_ms: how long the gateway had those it turned away, from the call to its end.
        late_p99_ms: how much later than it should the generator sent.
        waiting, own_waiting: the share of the time that the gateway, and the generator, waited for their core.
        first_mb, second_mb: the most memory in the first and in the second half.
        recovered_s: after how many seconds nearly all were answered again; None: never.
    """

    seconds: float
    status: int
    peak_per_s: float
    good_per_s: float
    answered_p50_ms: float
    answered_p99_ms: float
    sent: int
    away: int
    without_hint: int
    lost: int
    provider_refused: int
    away_p50_ms: float
    away_p99_ms: float
    inside_p50_ms: float
    inside_p99_ms: float
    late_p99_ms: float
    waiting: float
    own_waiting: float
    before_mb: float
    first_mb: float
    second_mb: float
    after_mb: float
    recovered_s: float | None

    @property
    def good_share(self) -> float:
        """The answers beside the peak's."""
        return self.good_per_s / self.peak_per_s if self.peak_per_s else 0.0

    @property
    def growth(self) -> float:
        """How much more memory the second half took than the first, as a share of that."""
        return self.second_mb / self.first_mb - 1


class Provider:
    """Answers a number of requests at once, and refuses the rest.

    Args:
        capacity: the number.
        status: of a refusal.
    """

    def __init__(self, capacity: int, status: int) -> None:
        self._capacity = capacity
        self._answer = answers.json_answer(answers.unary_body())
        self._refusal = answers.json_answer(b'{"error":{"message":"Too much at once."}}', f"{status} Refused")
        self.busy = 0
        self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of a connection, one after the other."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                await reader.readexactly(int(length or 0))
                if self.busy >= self._capacity:
                    self.refused += 1
                    writer.write(self._refusal)
                    continue
                self.busy += 1
                try:
                    await asyncio.sleep(SERVICE_S)
                finally:
                    self.busy -= 1
                writer.write(self._answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def overload(cores: Cores, home: Path, seconds: float, capacity: int = CAPACITY, status: int = 503) -> Overload:
    """Starts provider and gateway, overloads them, and ends both.

    Raises: NotStarted.
    """
    provider = Provider(capacity, status)
    async with await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=2048) as server:
        port = server.sockets[0].getsockname()[1]
        with started(programs.gateway(port), cores.measured, home / "overload") as gateway:
            await gateway.wait_for_answer()
            return await _measure(gateway, provider, capacity, status, seconds)


async def _measure(gateway: Running, provider: Provider, capacity: int, status: int, seconds: float) -> Overload:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    limits = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=_ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(headers=headers, connector=limits, timeout=timeout) as session:
        callers = Callers(session, f"http://127.0.0.1:{gateway.program.port}{URL_PATH}")
        await callers.closed(capacity, _WARM_S)
        before = gateway.rss_bytes()
        peak = per_second(await callers.closed(capacity, _PEAK_S), _PEAK_S)
        refused, printed = provider.refused, gateway.printed_bytes()
        waited, own_waited = gateway.waited_s(), waited_s(os.getpid())
        async with _memory(gateway) as memory:
            done = await callers.open(TIMES * peak, seconds)
        waited, own_waited = gateway.waited_s() - waited, waited_s(os.getpid()) - own_waited
        refused = provider.refused - refused
        start = time.monotonic()
        afterwards = await callers.open(_AFTERWARDS * peak, _RECOVERY_S)
    answered = [one.took_s for one in done if one.status == 200]
    away = [one for one in done if one.status in REFUSALS]
    inside = _refusals_s(gateway.printed_since(printed))
    half = (len(memory) + 1) // 2
    return Overload(
        seconds=seconds,
        status=status,
        peak_per_s=peak,
        good_per_s=per_second(done, seconds),
        answered_p50_ms=quantile_ms(answered, 0.5),
        answered_p99_ms=quantile_ms(answered, 0.99),
        sent=len(done),
        away=len(away),
        without_hint=sum(not one.hint for one in away),
        lost=len(done) - len(answered) - len(away),
        provider_refused=refused,
        away_p50_ms=quantile_ms([one.took_s for one in away], 0.5),
        away_p99_ms=quantile_ms([one.took_s for one in away], 0.99),
        inside_p50_ms=quantile_ms(inside, 0.5),
        inside_p99_ms=quantile_ms(inside, 0.99),
        late_p99_ms=quantile_ms([one.late_s for one in done], 0.99),
        waiting=waited / seconds,
        own_waiting=own_waited / seconds,
        before_mb=before / 1e6,
        first_mb=max(memory[:half]) / 1e6,
        second_mb=max(memory[half:] or memory) / 1e6,
        after_mb=gateway.rss_bytes() / 1e6,
        recovered_s=recovered_s(afterwards, start, _RECOVERY_S, _WINDOW_S, _GOOD_SHARE),
    )


@asynccontextmanager
async def _memory(gateway: Running) -> AsyncIterator[list[int]]:
    """Reads a program's memory again and again, into the list that it gives."""
    found = [gateway.rss_bytes()]

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            found.append(gateway.rss_bytes())

    task = asyncio.create_task(look())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _refusals_s(log: bytes) -> list[float]:
    """How long the calls took that ended without an answer, by the gateway's own log."""
    events = [orjson.loads(line) for line in log.splitlines() if line.startswith(b'{"event":"call"')]
    return [event["duration_s"] for event in events if event["code"] != "OK"]


def text(found: Overload) -> str:
    """Returns what was found, a line each."""
    recovered = "   never" if found.recovered_s is None else f"{found.recovered_s:8.1f} s"
    share = found.provider_refused / found.sent if found.sent else 0.0
    return "\n".join(
        (
            f"peak              {found.peak_per_s:8.1f} answers/s",
            f"at {TIMES:.0f} times that   {found.good_per_s:8.1f} answers/s: {found.good_share:.0%} of the peak, "
            f"for {found.seconds:.0f} s",
            f"answered          {found.answered_p50_ms:8.1f} ms p50, {found.answered_p99_ms:.1f} ms p99",
            f"turned away       {found.away_p50_ms:8.1f} ms p50, {found.away_p99_ms:.1f} ms p99 of {found.away}, "
            f"{found.without_hint} without a hint",
            f"  in the gateway  {found.inside_p50_ms:8.1f} ms p50, {found.inside_p99_ms:.1f} ms p99",
            f"  generator late  {found.late_p99_ms:8.1f} ms p99",
            f"  core waited for {found.waiting:8.1%} of the time by the gateway, {found.own_waiting:.1%} by the generator",
            f"neither           {found.lost:8d} of {found.sent}",
            f"provider refused  {found.provider_refused:8d} attempts with {found.status}: {share:.1%} of the requests",
            f"memory            {found.before_mb:8.1f} MB before, {found.first_mb:.1f} and {found.second_mb:.1f} MB in the "
            f"two halves, {found.after_mb:.1f} MB after",
            f"recovered         {recovered}",
        )
    )


async def main(arguments: Sequence[str]) -> None:
    """Overloads a gateway and prints what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description="Overloads a provider.")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_S:.0f} s of overload")
    parser.add_argument("--seconds", type=float, help=f"how long the overload lasts (default {LONG_S:.0f})")
    parser.add_argument("--capacity", type=int, default=CAPACITY, help=f"what the provider takes (default {CAPACITY})")
    parser.add_argument("--status", type=int, default=STATUSES[0], choices=STATUSES, help="how it refuses (default 503)")
    options = parser.parse_args(arguments)
    allow_many_connections()
    cores = choose_cores()
    pin(cores.loading)
    seconds = options.seconds or (QUICK_S if options.quick else LONG_S)
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        print(text(await overload(cores, Path(folder), seconds, options.capacity, options.status)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
