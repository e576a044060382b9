"""Several processes on the same ports: starts them, starts one anew that died, and ends them all with the parent."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

WORKER_VARIABLE = "TRUNKLINE_WORKER"
"""Set in the environment of each worker, to its number from 1."""

_READY_VARIABLE = "TRUNKLINE_READY"
"""Set there, too, until all of the first ones serve: the number of the file in which each of them says so with a byte."""

CANNOT_START = 3
"""The exit code of a worker that could not begin to serve. One of the first is not tried again."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_PAUSE_S = 1.0
"""Between a worker's death and its successor, so that one that dies at once does not burn the machine."""


def on_parent_death(stop: Callable[[], None]) -> None:
    """Calls back when the parent of this worker is gone, however it went: its end of the worker's input closes then."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(sys.stdin)
        stop()

    loop.add_reader(sys.stdin, gone)


def tell_ready() -> None:
    """Tells the parent of this worker that it serves."""
    ready = os.environ.get(_READY_VARIABLE)
    if ready is not None:
        with suppress(OSError):  # the parent is gone, which is told otherwise
            os.write(int(ready), b".")
            os.close(int(ready))


async def supervise(
    arguments: Sequence[str], workers: int, announce: Callable[[], None], died: Callable[[int, int], None]
) -> int:
    """Runs `workers` processes of this program until a signal ends them.

    Args:
        arguments: the command line after the program's name.
        workers: how many.
        announce: says where they listen, once all of them do.
        died: is told of each worker that dies, by its number and its exit code; another one is started.

    Returns:
        The exit code: 0 when all ended well after a signal; 1 when one of the first workers could not start.
    """
    loop = asyncio.get_running_loop()
    running: dict[int, asyncio.subprocess.Process] = {}
    stopping = asyncio.Event()
    ready, tells = os.pipe()
    starting = workers

    def heard() -> None:
        nonlocal starting
        starting -= len(os.read(ready, workers))
        if starting <= 0:
            loop.remove_reader(ready)
            if not stopping.is_set():
                announce()

    def forward(number: int) -> None:
        stopping.set()
        for process in running.values():
            if process.returncode is None:
                process.send_signal(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, forward, number)
    loop.add_reader(ready, heard)

    async def keep(worker: int) -> int:
        successor = False
        while True:
            environment = {**os.environ, WORKER_VARIABLE: str(worker)}
            if starting > 0:
                environment[_READY_VARIABLE] = str(tells)
            command = (sys.executable, "-P", "-m", "trunkline_cli.main", *arguments)
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(tells,) if starting > 0 else (),
                start_new_session=True,
            )
            running[worker] = process
            if stopping.is_set():  # the signal came before there was a process to forward it to
                process.send_signal(signal.SIGTERM)
            code = await process.wait()
            if code == CANNOT_START and not successor:  # others may have found the same at the same moment
                forward(signal.SIGTERM)
                return 1
            if stopping.is_set():
                return 0 if -code in _SIGNALS else code  # a worker that still starts ends by the signal itself
            successor = True  # what keeps it from starting may pass, and the others serve meanwhile
            died(worker, code)
            try:
                await asyncio.wait_for(stopping.wait(), _PAUSE_S)
            except TimeoutError:
                continue
            return code

    return max(map(abs, await asyncio.gather(*(keep(worker) for worker in range(1, workers + 1)))))
