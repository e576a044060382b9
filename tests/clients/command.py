"""The `trunkline` command as a process of its own: with pipes, or on a terminal that the test holds the other end of."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

COMMAND = (sys.executable, "-m", "trunkline_cli.main")
_GUARD_S = 60
"""When a test that waits for nothing gives up; no test needs it to pass."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and what it wrote."""

    code: int
    out: str
    err: str


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """An environment with nothing in it that could change what the command does, but `own`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, "TERM": "dumb", **own}


async def run(*arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> Ended:
    """Runs the command to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(env or {}),
    )
    async with asyncio.timeout(_GUARD_S):
        out, err = await process.communicate(stdin)
    return Ended(process.returncode or 0, out.decode(), err.decode())


class Terminal:
    """The other end of a command's terminal.

    Attributes:
        seen: all that the command wrote and `see` has passed.
    """

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self._descriptor = descriptor
        self._process = process
        self._unread = b""
        self.seen = ""

    def type(self, text: str) -> None:
        """Types; Ctrl-D is `\\x04`."""
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        """Presses Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    async def see(self, expected: str) -> str:
        """Waits until the command has written this, and returns what it wrote up to there since the last time."""
        async with asyncio.timeout(_GUARD_S):
            while expected.encode() not in self._unread:
                await self._wait()
                self._unread += os.read(self._descriptor, 65536)
        end = self._unread.index(expected.encode()) + len(expected.encode())
        new, self._unread = self._unread[:end].decode(), self._unread[end:]
        self.seen += new
        return new

    async def end(self) -> int:
        """Waits for the command's end and returns its exit code."""
        async with asyncio.timeout(_GUARD_S):
            return await self._process.wait()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _settle, readable)
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)


def _settle(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


@asynccontextmanager
async def on_terminal(*arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Terminal]:
    """Runs the command on a terminal of its own."""
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(env or {})
        )
        os.close(theirs)
        try:
            yield Terminal(ours, process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    finally:
        os.close(ours)
