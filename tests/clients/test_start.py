"""Where the command begins."""

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SHOWN = """
import os, sys
def shown(program, arguments, environment):
    print(arguments[1:], environment["PYTHONMALLOC"], environment["GLIBC_TUNABLES"])
    sys.exit(0)
os.execve = shown
sys.argv = ["trunkline", *sys.argv[1:]]
from trunkline_cli.start import main
main()
"""

BEGUN = "from trunkline_cli.start import main; main()"

LOADED = """
import asyncio, sys
from pathlib import Path
from trunkline_cli.main import build_app
build_app(["serve"])
from server.storage.database import Database
database = asyncio.run(Database.open(None, Path(sys.argv[1])))
print(*(name for name in sys.argv[2:] if name in sys.modules))
import rich, trustme
"""
UNUSED = ("alembic", "asyncpg", "botocore", "genai_prices", "h2", "redis", "rich", "sqlalchemy.orm", "trustme")
"""What a gateway by its defaults has no use for. Each takes megabytes."""


def begin(*arguments: str, **environment: str) -> str:
    command = (sys.executable, "-c", SHOWN, *arguments)
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONMALLOC"}
    ended = subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_gateway_gets_the_allocator_that_gives_memory_back() -> None:
    begun = "('-P', '-m', 'trunkline_cli.main', 'serve') malloc glibc.malloc.tcache_count=24"
    assert begin("serve", GLIBC_TUNABLES="") == f"{begun}\n"
    assert begin("serve", GLIBC_TUNABLES="glibc.malloc.tcache_count=7") == f"{begun}:glibc.malloc.tcache_count=7\n"


def test_a_gateway_and_its_workers_take_no_code_from_the_folder_they_are_started_in(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("raise SystemExit('another one')")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            (sys.executable, "-c", BEGUN, "serve", "core", "--workers", "2", "--host", "127.0.0.1", "--grpc-port", port),
            env={**os.environ, "TRUNKLINE_DATA_DIR": str(tmp_path / "data")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert (ended.returncode, port in ended.stderr) == (1, True)
    assert "another" not in ended.stderr


def test_other_commands_just_run() -> None:
    assert begin("version").startswith("trunkline ")


def test_what_the_environment_chose_holds() -> None:
    assert "Usage" in begin("serve", "--help", PYTHONMALLOC="pymalloc")


def test_a_gateway_loads_nothing_large_that_it_does_not_use(tmp_path: Path) -> None:
    command = (sys.executable, "-c", LOADED, str(tmp_path), *UNUSED)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "\n"
