"""Who may import whom: the contracts in `pyproject.toml` hold, and a wrong import breaks the one that forbids it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("server", "gateway_http", "trunkline_json", "trunkline_client", "trunkline_cli")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(contract["layers"] for contract in CONTRACTS if contract["id"] == "server-layers")
ALLOWED = [line.split(" -> ") for contract in CONTRACTS for line in contract.get("ignore_imports", ())]
"""Who may import what nobody else may."""

MODULES = (
    *(f"server.{name}" for layer in LAYERS for name in layer.split(" | ")),
    *next(contract["modules"] for contract in CONTRACTS if contract["id"] == "dialects"),
)


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Checks the packages that are found first from a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Packages of the same names with nothing in them but what the contracts name."""
    for package in PACKAGES:
        write(tmp_path, package, "")
    for module in MODULES:
        write(tmp_path, module, "")
    for module, library in ALLOWED:
        write(tmp_path, module, f"import {library}\n")
    return tmp_path


def write(root: Path, module: str, text: str) -> None:
    folder = root
    for name in module.split("."):
        folder = folder / name
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    (folder / "__init__.py").write_text(text)


def test_every_import_of_the_project_goes_downwards() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_packages_that_import_nothing_wrong_pass(small: Path) -> None:
    checked = lint_imports(small)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("server.app", "gateway_http", "Only the command puts server and front together"),
        ("gateway_http", "server.config", "Only the command puts server and front together"),
        ("trunkline_client", "trunkline_json", "Only the command puts server and front together"),
        ("server.app", "trunkline_client", "The server does not know its client"),
        ("gateway_http", "aiohttp", "The front reaches providers through the contract alone"),
        ("trunkline_client", "orjson", "The client library needs gRPC and the contract"),
        ("trunkline_json", "grpc", "The JSON form needs the contract"),
        ("server.errors", "tests", "The product does not import its tests"),
        ("server.providers", "server.dispatch", "Within the server a line imports from the lines under it"),
        ("server.dispatch", "server.runtime", "Within the server a line imports from the lines under it"),
        ("server.interceptors", "server.providers", "Within the server a line imports from the lines under it"),
        ("server.brand_new", "server.caller", "Within the server a line imports from the lines under it"),
        ("server.providers.openai", "server.providers.echo", "Dialects do not know each other"),
        ("server.services", "aiohttp", "The files of one seam know the server's HTTP clients"),
    ],
)
def test_a_wrong_import_is_reported(small: Path, module: str, imported: str, contract: str) -> None:
    write(small, module, f"import {imported}\n")
    checked = lint_imports(small)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    broken = [line for line in checked.stdout.splitlines() if " BROKEN" in line]
    assert [line for line in broken if line.startswith(contract)], checked.stdout
