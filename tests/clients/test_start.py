"""Where the command begins."""

import os
import platform
import subprocess
import sys

import pytest

SHOWN = """
import os, sys
def shown(program, arguments, environment):
    print(arguments[1:], environment["PYTHONMALLOC"])
    sys.exit(0)
os.execve = shown
sys.argv = ["trunkline", *sys.argv[1:]]
from trunkline_cli.start import main
main()
"""


def begin(*arguments: str, **environment: str) -> str:
    command = (sys.executable, "-c", SHOWN, *arguments)
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONMALLOC"}
    ended = subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_gateway_gets_the_allocator_that_gives_memory_back() -> None:
    assert begin("serve", "--port", "0") == "('-m', 'trunkline_cli.main', 'serve', '--port', '0') malloc\n"


def test_other_commands_just_run() -> None:
    assert begin("version").startswith("trunkline ")


def test_what_the_environment_chose_holds() -> None:
    assert "Usage" in begin("serve", "--help", PYTHONMALLOC="pymalloc")
