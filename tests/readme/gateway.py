"""A real `trunkline serve` in a process of its own, on ports that are free."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.readme.blocks import ROOT

_GUARD_S = 60
"""When to give up on a process that says nothing; no test needs it to pass."""


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that answers.

    Attributes:
        http: the front's host and port.
        grpc: the server's.
        key: the key that it printed; empty where its configuration has one.
    """

    http: str
    grpc: str
    key: str

    def here(self, text: str) -> str:
        """A text of the README, with this gateway's addresses in place of the usual ones."""
        return text.replace("127.0.0.1:8000", self.http).replace("127.0.0.1:50051", self.grpc)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """What a fresh shell has after the README's two exports, and `own`."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**kept, "PATH": programs, "TERM": "dumb", **own}


async def run(command: Sequence[str], own: Mapping[str, str]) -> tuple[int, str, str]:
    """Runs a command to its end: its exit code, and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment(own),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_GUARD_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def serve(folder: Path, *options: str, own: Mapping[str, str] | None = None) -> AsyncIterator[Served]:
    """Starts a gateway, and stops it by SIGTERM; it has to end well.

    Args:
        folder: for its data and its log.
        options: of `trunkline serve`, after those that give it free ports.
        own: its environment, beside what every fresh shell has.
    """
    command = ("trunkline", "serve", "--port", "0", "--grpc-port", "0", "--data-dir", str(folder / "data"), *options)
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment(own or {}), stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        yield await _announced(process, folder / "serve.log")
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(_GUARD_S):
            await process.communicate()
    assert process.returncode == 0, _told(folder / "serve.log")


async def _announced(process: asyncio.subprocess.Process, log: Path) -> Served:
    """Reads what the command prints when it is ready."""
    assert process.stdout is not None
    said: dict[str, str] = {}
    async with asyncio.timeout(_GUARD_S):
        while "Try" not in said:
            line = (await process.stdout.readline()).decode()
            assert line, _told(log)
            name, _, rest = line.strip().replace("API key", "key").partition(" ")
            said[name.partition(":")[0]] = rest.strip()
    http = said["HTTP"].removeprefix("http://").removesuffix("/v1")
    return Served(http, said["gRPC"], said.get("key", "").partition(" ")[0])


def _told(log: Path) -> str:
    """Why it ended."""
    return log.read_text()
