"""The programs under measurement as processes: start, pin, wait for, measure, stop.

In: a command. Out: CPU time and resident memory of the process and all its children.
Refuses to know what the program does.
"""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks import answers, load_rest

_STOP_TIMEOUT_S = 10.0
_START_TIMEOUT_S = 60.0
_POLL_S = 0.005
_LOG_TAIL_BYTES = 1500
_OPEN_FILES = 8192


class NotStarted(Exception):
    """A program that ended, or did not answer in time, after it was started."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the measured programs have, and which the provider and the load generators have."""

    measured: frozenset[int]
    loading: frozenset[int]

    def __str__(self) -> str:
        """Says it in words."""
        if self.measured == self.loading:
            return "nothing is pinned: measured programs, provider and load share the cores"
        return f"measured programs on core {_listed(self.measured)}, provider and load on core {_listed(self.loading)}"


@dataclass(frozen=True, slots=True)
class Program:
    """How to start one program. Its working directory is its own, is its home too, and holds only `files`."""

    name: str
    command: tuple[str, ...]
    port: int
    grpc_port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


class Running:
    """One started program.

    Attributes:
        api_key: the key that it is loaded with.
    """

    def __init__(self, program: Program, process: subprocess.Popen[bytes], log: Path, started_at: float) -> None:
        """Takes what start() made."""
        self.program = program
        self.api_key = load_rest.API_KEY
        self._process = process
        self._log = log
        self._started_at = started_at

    def cpu_s(self) -> float:
        """Returns user and system time of all its processes since they started, seconds."""
        return sum(_cpu_s(process) for process in self._family())

    def waited_s(self) -> float:
        """Returns for how long its first process was ready to run and had to wait for its core, seconds."""
        return waited_s(self._process.pid)

    def rss_bytes(self) -> int:
        """Returns the resident memory of all its processes; what they share counts once for each."""
        total = 0
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                total += int(process.memory_info().rss)
        return total

    async def wait_for_answer(self) -> float:
        """Waits for the first right answer of the REST face and returns the seconds from the start to it.

        Raises: NotStarted when the program ends or the time is up before.
        """
        request = load_rest.chat_request(answers.UNARY_MODEL, stream=False)
        problem = "nothing listens"
        while time.monotonic() - self._started_at < _START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise NotStarted(f"{self.program.name} ended with {self._process.returncode}: {self.log_tail()}")
            try:
                await load_rest.load(self.program.port, request, load_rest.UNARY, 1, 1, timeout_s=10.0)
                return time.monotonic() - self._started_at
            except OSError:
                pass
            except (load_rest.WrongAnswer, TimeoutError) as error:
                problem = str(error)
            await asyncio.sleep(_POLL_S)
        raise NotStarted(
            f"{self.program.name} gave no right answer in {_START_TIMEOUT_S:.0f} s: {problem}; {self.log_tail()}"
        )

    async def wait_for_grpc(self) -> None:
        """Waits until something listens on the gRPC port."""
        while time.monotonic() - self._started_at < _START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise NotStarted(f"{self.program.name} ended with {self._process.returncode}: {self.log_tail()}")
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.program.grpc_port)
                writer.close()
                return
            await asyncio.sleep(_POLL_S)
        raise NotStarted(f"{self.program.name} does not listen on its gRPC port; {self.log_tail()}")

    def log_tail(self) -> str:
        """Returns the end of what the program printed."""
        return "it printed: " + (self._log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip() or "nothing")

    def printed_bytes(self) -> int:
        """Returns how much the program has printed."""
        return self._log.stat().st_size

    def printed_since(self, start: int) -> bytes:
        """Returns what the program printed after so many bytes."""
        return self._log.read_bytes()[start:]

    def stop(self) -> None:
        """Ends the program and its children: asks first, then insists."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_TIMEOUT_S)
        # It was started as the leader of a group of its own, so what is left in the group are its children.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _family(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self._process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess as error:
            raise NotStarted(f"{self.program.name} is gone: {self.log_tail()}") from error


@contextmanager
def started(program: Program, cores: frozenset[int], home: Path) -> Iterator[Running]:
    """Starts the program on these cores, with a new folder as its home, and ends it afterwards whatever happens."""
    home.mkdir(parents=True)
    for name, content in program.files.items():
        (home / name).write_text(content)
    log = home / "printed.log"
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with log.open("wb") as out:
        pin(cores)
        started_at = time.monotonic()
        try:
            process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=home,
                env={**os.environ, **_home(home), **program.environment},
                start_new_session=True,
            )
        finally:
            if own is not None:
                pin(frozenset(own))
    running = Running(program, process, log, started_at)
    try:
        yield running
    finally:
        running.stop()


def choose_cores() -> Cores:
    """Gives one core to the measured programs and the next to everything else, where there are two and pinning works."""
    if not hasattr(os, "sched_getaffinity"):
        nothing: frozenset[int] = frozenset()
        return Cores(nothing, nothing)
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        return Cores(frozenset(allowed), frozenset(allowed))
    return Cores(frozenset(allowed[:1]), frozenset(allowed[1:2]))


def pin(cores: frozenset[int]) -> None:
    """Keeps this process, and what it starts from now on, on these cores; no cores: leaves it where it is."""
    if cores:
        os.sched_setaffinity(0, cores)


def allow_many_connections() -> None:
    """Raises this process's limit of open files, as far as it may, for it and what it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_ports(count: int) -> list[int]:
    """Returns ports of the loopback that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def waited_s(process_id: int) -> float:
    """Returns for how long the first thread of a process waited for a core, seconds; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{process_id}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _cpu_s(process: psutil.Process) -> float:
    """Reads the kernel's CPU clock of a process: in nanoseconds where there is one (Linux), else in ticks of 10 ms."""
    with suppress(OSError):
        return time.clock_gettime((~process.pid << 3) | 2)
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _home(home: Path) -> dict[str, str]:
    folder = str(home)
    return {
        "HOME": folder,
        "XDG_DATA_HOME": folder,
        "XDG_CONFIG_HOME": folder,
        "XDG_STATE_HOME": folder,
        "XDG_CACHE_HOME": folder,
    }


def _listed(cores: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(cores)))
