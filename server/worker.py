"""What tells the processes of gateways apart, and whether one of them is no more.

A worker's id holds its host, its process and when that began. On the same host the process table says whether it lives; of
another host's nothing is known here.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from zlib import crc32


def find_worker_id() -> str:
    """This process's id as a worker: `host.view:process:begin`, at most 54 characters.

    The view tells apart boots of one host, and containers that have the same name but count processes by themselves.
    """
    return f"{_host()}:{os.getpid()}:{_begin(os.getpid()) or ''}"


def lives(worker: str) -> bool | None:
    """Whether a worker's process is there; None: it is another host's, or it cannot be said."""
    host, _, process = worker.rpartition(":")[0].rpartition(":")
    if host != _host() or not process.isdecimal():
        return None
    began, begin = worker.rpartition(":")[2], _begin(int(process))
    if began and begin is not None:
        return begin == began
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return None if began else True  # a process of that number, which may be another


def _host() -> str:
    """This host as far as processes are counted together."""
    view = _text("/proc/sys/kernel/random/boot_id")
    with suppress(OSError):
        view += os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname().replace(':', '-')[:24]}.{crc32(view.encode()):08x}"


def _begin(process: int) -> str | None:
    """When a process began, in the kernel's ticks; empty: it has ended. None: it is no more, or the system does not say."""
    # The name stands in brackets and may have spaces.
    fields = _text(f"/proc/{process}/stat").rpartition(")")[2].split()
    if len(fields) <= 19:
        return None
    return "" if fields[0] in ("Z", "X") else fields[19]


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
