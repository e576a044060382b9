"""The benchmark command: starts everything, measures the parts asked for, prints the report, ends everything.

    python -m benchmarks.run [--quick] [--only PARTS] [--rounds N] [--requests N] [--json FILE]

The parts are rest, grpc, memory, start, governed, overload.

Exit status: 0; 1 when an answer was wrong or a program did not start, under --strict also when a limit was missed or could
not be measured; 130 when it was interrupted.
"""

import argparse
import asyncio
import functools
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import governing, measure, overload, programs, report, scenarios
from benchmarks.load_rest import WrongAnswer
from benchmarks.process import Cores, NotStarted, Program, Running, allow_many_connections, choose_cores, pin, started
from benchmarks.programs import Kind
from benchmarks.verdicts import MISSED, Results, Verdict, judge

PARTS = ("rest", "grpc", "memory", "start", "governed", "overload")
_FAILURES = (WrongAnswer, NotStarted, OSError)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    parts: Sequence[str]
    rounds: int
    requests: int
    after_s: float
    overload_s: float
    json: Path | None
    strict: bool
    rivals: Sequence[str]
    litellm_python: str | None


class Benchmark:
    """One run in front of one scripted provider; a failure costs the measurement it befell, the others go on.

    Attributes:
        notes: What was left out, and why.
        failures: Wrong answers, and programs that did not start or did not answer.
    """

    def __init__(self, options: Options, cores: Cores, provider: Running, home: Path) -> None:
        """Finds out which programs can be started here."""
        self.notes: list[str] = []
        self.failures: list[str] = []
        self._options = options
        self._cores = cores
        self._provider = provider
        self._home = home
        self._gateway = self._present(Kind(programs.GATEWAY, programs.gateway))
        self._governed = self._present(Kind(programs.GOVERNED, programs.governed)) if "governed" in options.parts else []
        litellm = functools.partial(programs.litellm, options.litellm_python or "")
        rivals: dict[str, Callable[[int], Program]] = {
            programs.LOWER_FLOOR: programs.lower_floor,
            "nginx": programs.nginx,
            "litellm": litellm,
        }
        self._rivals = [each for name in options.rivals for each in self._present(Kind(name, rivals[name]))]

    async def run(self) -> Results:
        """Measures the parts asked for."""
        options = self._options
        common = (self._provider, self._cores, self._home)
        rest = [Kind(programs.FLOOR, programs.floor), *self._gateway, *self._rivals]
        grpc = [Kind(programs.FLOOR, programs.floor_grpc), *self._gateway]
        samples: list[measure.Sample] = []
        memories: list[measure.Memory] = []
        starts: list[measure.Start] = []
        overloads: list[overload.Overload] = []
        if "rest" in options.parts:
            with self._noting_failures():
                await self._loads(scenarios.rest(options.requests), rest, samples)
        if "grpc" in options.parts:
            with self._noting_failures():
                await self._loads(scenarios.grpc(options.requests), grpc, samples)
        if "governed" in options.parts:
            with self._noting_failures():
                await self._loads(scenarios.governed(options.requests), [*self._gateway, *self._governed], samples)
        for kind in rest if "memory" in options.parts else []:
            with self._noting_failures():
                memories.append(await measure.memory(kind, *common, options.after_s, _say))
        for number in range(1, options.rounds + 1) if "start" in options.parts else []:
            for kind in rest:
                found = measure.Start(kind.name, number, None)
                with self._noting_failures():
                    found = await measure.start(kind, *common, number, _say)
                starts.append(found)
        if "overload" in options.parts and self._gateway:
            with self._noting_failures():
                _say(f"overload: for {options.overload_s:.0f} s")
                overloads.append(await overload.overload(self._cores, self._home, options.overload_s))
        return Results(samples, memories, starts, overloads)

    async def _loads(
        self, wanted: Sequence[scenarios.Scenario], kinds: Sequence[Kind], samples: list[measure.Sample]
    ) -> None:
        face = wanted[0].face
        with ExitStack() as stack:
            running: list[Running] = []
            for kind in kinds:
                # One that does not start is left out of this part.
                with self._noting_failures():
                    home = self._home / f"{face}-{kind.name}"
                    program = started(kind.build(self._provider.program.port), self._cores.measured, home)
                    running.append(await _ready(stack.enter_context(program), face))
            for scenario in wanted:
                with self._noting_failures((WrongAnswer,)):
                    samples += await measure.loads(scenario, running, self._provider, self._options.rounds, _say)

    @contextmanager
    def _noting_failures(self, kinds: tuple[type[Exception], ...] = _FAILURES) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            _say(f"FAILED: {error}")
            self.failures.append(f"FAILED: {error}")

    def _present(self, kind: Kind) -> list[Kind]:
        why_not = programs.missing(kind.name, self._options.litellm_python)
        if why_not is None:
            return [kind]
        _say(why_not)
        self.notes.append(why_not)
        return []


async def main(options: Options) -> int:
    """Runs the benchmark and returns the exit status."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    allow_many_connections()
    cores = choose_cores()
    pin(cores.loading)
    source = programs.gateway_source()
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        home = Path(folder)
        with started(programs.provider(), cores.loading, home / "provider") as provider:
            await provider.wait_for_answer()
            benchmark = Benchmark(options, cores, provider, home)
            results = await benchmark.run()
    verdicts = [each for each in judge(results) if each.part in options.parts]
    notes = [*benchmark.notes, f"{options.rounds} rounds, medians; {cores}", *benchmark.failures]
    if programs.gateway_source() != source:
        notes.append("the gateway's source changed during the run: its figures are not those of one program")
    print(report.text(results, verdicts, notes))
    if options.json is not None:
        options.json.write_bytes(report.json(results, verdicts, _run(options, cores, benchmark.failures)))
    return 1 if benchmark.failures or (options.strict and any(_fails(each) for each in verdicts)) else 0


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measures the gateway beside its floor.")
    parser.add_argument("--quick", action="store_true", help="fewer requests and rounds, a short wait: under a minute")
    parser.add_argument("--only", type=_parts, default=PARTS, metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--rounds", type=_count, help="how often each load is repeated (default 3, quick 2)")
    parser.add_argument("--requests", type=_count, help="small requests in one load (default 4000, quick 800)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a limit was missed or not measured")
    parser.add_argument("--with", dest="rivals", action="append", default=[], choices=programs.RIVALS, help="measure it too")
    parser.add_argument("--litellm-python", metavar="PATH", help="the interpreter that has litellm[proxy]")
    found = parser.parse_args(arguments)
    return Options(
        parts=found.only,
        rounds=found.rounds or (2 if found.quick else 3),
        requests=found.requests or (800 if found.quick else 4000),
        after_s=3.0 if found.quick else 60.0,
        overload_s=overload.QUICK_S if found.quick else overload.LONG_S,
        json=found.json,
        strict=found.strict,
        rivals=tuple(dict.fromkeys(found.rivals)),
        litellm_python=found.litellm_python,
    )


async def _ready(program: Running, face: str) -> Running:
    """Waits until the faces of a program answer, as far as it has them."""
    if program.program.port:
        await program.wait_for_answer()
    if face == "grpc":
        await program.wait_for_grpc()
    if program.program.name == programs.GOVERNED:
        program.api_key = await governing.govern(program.program.port)
    return program


def _parts(value: str) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(value.split(",")))
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    return parts


def _count(value: str) -> int:
    count = int(value)
    if not 1 <= count <= 1_000_000:
        raise argparse.ArgumentTypeError("must be between 1 and 1000000")
    return count


def _fails(verdict: Verdict) -> bool:
    # What a short run could not judge has a measured value; what was left out has none.
    return verdict.verdict == MISSED or verdict.measured == "-"


def _run(options: Options, cores: Cores, failures: list[str]) -> dict[str, object]:
    machine = {"python": platform.python_version(), "machine": platform.machine(), "core_count": os.cpu_count() or 0}
    return {**machine, "rounds": options.rounds, "requests": options.requests, "cores": str(cores), "failures": failures}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(uvloop.run(main(parse(sys.argv[1:]))))
    except NotStarted as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
