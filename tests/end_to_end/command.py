"""The real command in a process of its own: what it prints, where it listens, how it ends."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.end_to_end.running import HOST

LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class Command:
    """A running command.

    Attributes:
        process: the process.
        printed: what it said when it had started.
    """

    process: asyncio.subprocess.Process
    printed: str

    @property
    def url(self) -> str:
        """The front's, without a path."""
        return self._found(r"HTTP +(http://\S+)/v1")

    @property
    def target(self) -> str:
        """The gRPC server's."""
        return self._found(r"gRPC +(\S+)")

    @property
    def probes(self) -> str:
        """The probes' listener, without a path."""
        return self._found(r"probes +(http://\S+)/health")

    @property
    def key(self) -> str | None:
        """The key; None where it was not printed."""
        found = re.search(r"API key +(\S+)", self.printed)
        return found[1] if found else None

    def signal(self) -> None:
        """Asks it to stop."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Returns the exit code once it has ended."""
        async with asyncio.timeout(LIMIT_S):
            return await self.process.wait()

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.printed)
        assert found, self.printed
        return found[1]


@asynccontextmanager
async def run(folder: Path, *arguments: str) -> AsyncIterator[Command]:
    """Starts `trunkline serve` and waits until it says where it is.

    Args:
        folder: where it keeps its data.
        arguments: what follows `serve`.
    """
    process = await start(folder, *arguments)
    try:
        assert process.stdout is not None
        printed = ""
        async with asyncio.timeout(LIMIT_S):
            while line := (await process.stdout.readline()).decode():
                printed += line
                if "curl " in line or (arguments[:1] == ("core",) and "gRPC" in line):
                    break
        yield Command(process, printed)
    finally:
        if process.returncode is None:
            # Workers first: they hold the ends of the pipes that are waited for.
            family = psutil.Process(process.pid)
            for member in (*family.children(recursive=True), family):
                member.kill()
        _, errors = await process.communicate()
        sys.stderr.write(errors.decode())


async def start(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Starts `trunkline serve` and waits for nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment |= {"HOME": str(folder), "TRUNKLINE_DATA_DIR": str(folder / "data")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "trunkline_cli.main",
        "serve",
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def free_port() -> int:
    """A port that nobody had a moment ago, for commands that take no port 0."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
