"""What the tests of the contract share."""

import shutil
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.protos.contract import PROTOS, ROOT, build


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout with nothing in it but the contract, which a test may break."""
    root = tmp_path / "checkout"
    shutil.copytree(PROTOS, root / "protos", ignore=shutil.ignore_patterns("gen", "json"))
    shutil.copy(ROOT / "buf.yaml", root)
    return root


@pytest.fixture(scope="session")
def contract(tmp_path_factory: pytest.TempPathFactory) -> FileDescriptorSet:
    """The contract with its comments."""
    return build(tmp_path_factory.mktemp("contract") / "contract.binpb")
