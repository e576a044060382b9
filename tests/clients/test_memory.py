"""What a gateway gives back of its memory."""

import platform
import subprocess
import sys

import pytest

from trunkline_cli.memory import find_programs

MAPPINGS = """\
1000-3000 r-xp 00000000 fe:00 12 /usr/lib/program.so
Size:                  8 kB
Anonymous:             0 kB
3000-4000 r--p 00002000 fe:00 12 /usr/lib/program.so
Anonymous:             0 kB
4000-5000 r--p 00003000 fe:00 12 /usr/lib/changed_when_it_was_loaded.so
Anonymous:             4 kB
5000-6000 rw-p 00004000 fe:00 12 /usr/lib/data.so
Anonymous:             0 kB
6000-7000 r--s 00000000 fe:00 13 /var/shared
Anonymous:             0 kB
7000-8000 r-xp 00000000 fe:00 14 /usr/lib/replaced.so (deleted)
Anonymous:             0 kB
8000-9000 r--p 00000000 00:00 0
Anonymous:             0 kB
9000-a000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
"""
SETTLES = """
import asyncio, ssl, sqlite3
from trunkline_cli.memory import settle
async def main():
    settle()
    ssl.create_default_context()
    print(sqlite3.connect(":memory:").execute("SELECT 1").fetchone())
asyncio.run(main())
"""


def test_only_what_is_as_in_its_file_is_let_go_of() -> None:
    assert list(find_programs(MAPPINGS.splitlines())) == [(0x1000, 0x2000), (0x3000, 0x1000)]


def test_a_process_goes_on_with_what_was_let_go_of() -> None:
    ended = subprocess.run((sys.executable, "-c", SETTLES), capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "(1,)\n"


TAKES_AND_RETURNS = """
import asyncio, resource
from trunkline_cli.memory import settle
async def main():
    settle()
    for round in range(110):
        if round == 10:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        held = [bytes(120_000) for _ in range(16)]
        del held
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
asyncio.run(main())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_for_bodies_is_not_had_from_the_system_each_time() -> None:
    pages_of_all = 100 * 16 * 120_000 // 4096
    ended = subprocess.run((sys.executable, "-c", TAKES_AND_RETURNS), capture_output=True, text=True, timeout=60, check=True)
    assert int(ended.stdout) < pages_of_all / 20
