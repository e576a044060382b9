"""Overload: three times what a provider takes, sent whether answers come or not. By hand, in half a minute:

    python -m benchmarks.overload [--seconds 15] [--capacity 32] [--status 503]

The provider answers so many requests at once, each after a quarter of a second, and refuses the rest at once. First the
gateway gets as many callers as the provider takes: that is the peak. Then three times the peak, as an open load. Then four
fifths of it, to see how long it takes until all are answered again.

Prints what was answered beside the peak, how quickly the others were turned away, the gateway's memory, and the recovery.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvloop

from benchmarks import answers, programs
from benchmarks.load_rest import API_KEY
from benchmarks.process import Running, allow_many_connections, choose_cores, pin, started

SERVICE_S = 0.25
OVERLOAD = 3.0
AFTERWARDS = 0.8
_PEAK_S = 4.0
_RECOVERY_S = 6.0
_WINDOW_S = 0.5
_GOOD_SHARE = 0.98
_URL_PATH = "/v1/chat/completions"
_BODY = {"model": answers.UNARY_MODEL, "messages": [{"role": "user", "content": "Hello!"}]}


@dataclass(frozen=True, slots=True)
class Done:
    """One request: when it was sent, how long its answer took, and its status; 0: none came."""

    sent_s: float
    took_s: float
    status: int


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


class Load:
    """Sends requests, and notes what became of them.

    Args:
        session: to the gateway.
        url: where to.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.done: list[Done] = []

    async def ask(self) -> None:
        """Sends one request."""
        sent = time.monotonic()
        status = 0
        try:
            async with self._session.post(self._url, json=_BODY) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        self.done.append(Done(sent, time.monotonic() - sent, status))

    async def closed(self, callers: int, seconds: float) -> Sequence[Done]:
        """So many callers, each of whom waits for its answer before it asks again."""
        end = time.monotonic() + seconds

        async def caller() -> None:
            while time.monotonic() < end:
                await self.ask()

        self.done = []
        await asyncio.gather(*(caller() for _ in range(callers)))
        return self.done

    async def open(self, per_second: float, seconds: float) -> Sequence[Done]:
        """So many requests a second at random moments, whether answers come or not."""
        chance = random.Random(1)
        start = at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            self.done = []
            while (at := at + chance.expovariate(per_second)) < start + seconds:
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                tasks.create_task(self.ask())
        return self.done


def good_per_second(done: Sequence[Done], seconds: float) -> float:
    """How many requests were answered in each second."""
    return sum(one.status == 200 for one in done) / seconds


def quantile_ms(done: Sequence[Done], share: float) -> float:
    """How long so many of a hundred took at most; 0 where there are none."""
    times = sorted(one.took_s for one in done)
    return times[min(len(times) - 1, int(len(times) * share))] * 1000 if times else 0.0


def recovery_s(done: Sequence[Done], start: float) -> float | None:
    """After how many seconds nearly all requests were answered; None: never."""
    for window in range(int(_RECOVERY_S / _WINDOW_S)):
        since = start + window * _WINDOW_S
        sent = [one for one in done if since <= one.sent_s < since + _WINDOW_S]
        if sent and sum(one.status == 200 for one in sent) >= _GOOD_SHARE * len(sent):
            return window * _WINDOW_S
    return None


async def measure(gateway: Running, provider: Provider, capacity: int, seconds: float) -> None:
    """Loads a gateway, and prints what came of it."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    limits = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(headers=headers, connector=limits, timeout=timeout) as session:
        load = Load(session, f"http://127.0.0.1:{gateway.program.port}{_URL_PATH}")
        await load.closed(capacity, 1.0)
        before = gateway.rss_bytes()
        peak = good_per_second(await load.closed(capacity, _PEAK_S), _PEAK_S)
        refused = provider.refused
        overloaded = await load.open(OVERLOAD * peak, seconds)
        good = good_per_second(overloaded, seconds)
        refused = provider.refused - refused
        after = gateway.rss_bytes()
        start = time.monotonic()
        back = recovery_s(await load.open(AFTERWARDS * peak, _RECOVERY_S), start)
    answered = [one for one in overloaded if one.status == 200]
    away = [one for one in overloaded if one.status in (429, 503)]
    lost = len(overloaded) - len(answered) - len(away)
    print(f"peak              {peak:8.1f} answers/s with {capacity} callers")
    print(f"at {OVERLOAD:.0f} times that   {good:8.1f} answers/s: {good / peak:.0%} of the peak (wanted: 80%)")
    print(f"answered          {quantile_ms(answered, 0.5):8.1f} ms p50, {quantile_ms(answered, 0.99):.1f} ms p99")
    print(f"turned away       {quantile_ms(away, 0.5):8.1f} ms p50, {quantile_ms(away, 0.99):.1f} ms p99 of {len(away)}")
    print(f"neither           {lost:8d} of {len(overloaded)}")
    print(f"provider refused  {refused:8d} attempts: {refused / len(overloaded):.0%} of the requests")
    print(f"memory            {before / 1e6:8.1f} MB before, {after / 1e6:.1f} MB after")
    print(f"recovered         {'   never' if back is None else f'{back:8.1f} s'} (wanted: 5 s)")


async def main(arguments: Sequence[str]) -> None:
    """Starts provider and gateway, measures, and ends both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description="Overloads a provider.")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the overload lasts (default 15)")
    parser.add_argument("--capacity", type=int, default=32, help="how many requests the provider takes (default 32)")
    parser.add_argument("--status", type=int, default=503, choices=(429, 503), help="how it refuses (default 503)")
    options = parser.parse_args(arguments)
    allow_many_connections()
    cores = choose_cores()
    pin(cores.loading)
    provider = Provider(options.capacity, options.status)
    async with await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=2048) as server:
        port = server.sockets[0].getsockname()[1]
        with (
            tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder,
            started(programs.gateway(port), cores.measured, Path(folder) / "gateway") as gateway,
        ):
            await gateway.wait_for_answer()
            await measure(gateway, provider, options.capacity, options.seconds)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
