"""Where the `trunkline` command begins: chooses who gives a gateway its memory, then becomes the command.

Python's own allocator keeps what a rush of requests took: it returns pieces of a megabyte only when nothing lives in them,
and something always does. The C library's returns what is free; it costs some 5 to 10 % more CPU, and less where it keeps
more freed pieces of each size at hand than its usual seven.

`-P` here and where workers start: a `server.py` in the folder that the command is called in is none of ours.
"""

import os
import platform
import runpy
import sys

_CHOICE = "PYTHONMALLOC"
_TUNABLES = "GLIBC_TUNABLES"
_KEPT_PIECES = "glibc.malloc.tcache_count=24"
"""Source: https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html (2026-11)"""


def main() -> None:
    """Runs the command; a gateway with the C library's allocator where that is glibc, unless the environment has chosen."""
    if sys.argv[1:2] == ["serve"] and _CHOICE not in os.environ and platform.libc_ver()[0] == "glibc":
        arguments = (sys.executable, "-P", "-m", "trunkline_cli.main", *sys.argv[1:])
        tunables = ":".join(filter(None, (_KEPT_PIECES, os.environ.get(_TUNABLES))))  # the last one holds
        os.execve(sys.executable, arguments, {**os.environ, _CHOICE: "malloc", _TUNABLES: tunables})  # noqa: S606
    runpy.run_module("trunkline_cli.main", run_name="__main__", alter_sys=True)
