"""The contract as its tests see it: where it is, how `buf` is run on it, and what its comments say."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
BASELINE = PROTOS / "released.binpb"
PROGRAMS = Path(sys.executable).parent
"""Where the virtual environment has its programs, `buf` among them."""

_SERVICE, _METHOD = FileDescriptorProto.SERVICE_FIELD_NUMBER, 2
_ENUM, _VALUE = FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, 2


def buf(*arguments: str | Path, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Runs `buf` without a network and without what earlier runs may have fetched."""
    command = [str(PROGRAMS / "buf"), *map(str, arguments)]
    with TemporaryDirectory() as cache:
        alone = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "BUF_CACHE_DIR": cache}
        return subprocess.run(command, cwd=cwd, env=alone, capture_output=True, text=True, timeout=60, check=False)


def build(image: Path, root: Path = ROOT) -> FileDescriptorSet:
    """Builds the contract of a checkout into an image, with its comments."""
    built = buf("build", "-o", image, cwd=root)
    assert built.returncode == 0, built.stdout + built.stderr
    return FileDescriptorSet.FromString(image.read_bytes())


def rpc_comments(contract: FileDescriptorSet) -> Mapping[str, str]:
    """Each RPC's comment by its full name, `/trunkline.v1.XService/Y`, with its service's comment before it."""
    comments: dict[str, str] = {}
    for file, said in _own_files(contract):
        for place, service in enumerate(file.service):
            for number, method in enumerate(service.method):
                texts = (said.get((_SERVICE, place), ""), said.get((_SERVICE, place, _METHOD, number), ""))
                comments[f"/{file.package}.{service.name}/{method.name}"] = "\n".join(texts)
    return comments


def value_comments(contract: FileDescriptorSet, enum: str) -> Mapping[str, str]:
    """Each value's comment, of the enum of that name."""
    return {
        value.name: said.get((_ENUM, place, _VALUE, number), "")
        for file, said in _own_files(contract)
        for place, described in enumerate(file.enum_type)
        if described.name == enum
        for number, value in enumerate(described.value)
    }


def _own_files(contract: FileDescriptorSet) -> Iterator[tuple[FileDescriptorProto, Mapping[tuple[int, ...], str]]]:
    for file in contract.file:
        if file.package == "trunkline.v1":
            yield file, {tuple(part.path): part.leading_comments for part in file.source_code_info.location}
