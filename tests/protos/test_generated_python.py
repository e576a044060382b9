"""The committed Python is what the contract generates."""

import subprocess
import sys
from pathlib import Path

from tests.protos.contract import PROGRAMS, PROTOS, ROOT

COMMITTED = PROTOS / "gen" / "trunkline" / "v1"


def generate(out: Path) -> None:
    """Generates as `make protos` does."""
    everything = sorted(str(path.relative_to(ROOT)) for path in (PROTOS / "trunkline" / "v1").glob("*.proto"))
    services = [path for path in everything if path.endswith("_service.proto")]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-Iprotos", "-Iprotos/third_party"]
    plugin = f"--plugin=protoc-gen-mypy_grpc={PROGRAMS / 'protoc-gen-mypy_grpc'}"
    for command in (
        [*protoc, f"--python_out={out}", f"--pyi_out={out}", *everything],
        [*protoc, plugin, f"--grpc_python_out={out}", f"--mypy_grpc_out={out}", *services],
    ):
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)


def test_the_committed_python_is_what_the_contract_generates(tmp_path: Path) -> None:
    generate(tmp_path)
    fresh = {path.name: path.read_bytes() for path in (tmp_path / "trunkline" / "v1").iterdir()}
    committed = {path.name: path.read_bytes() for path in COMMITTED.glob("*_pb2*") if path.is_file()}
    assert sorted(fresh) == sorted(committed)
    assert [name for name, text in fresh.items() if committed[name] != text] == []
