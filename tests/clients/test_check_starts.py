"""`trunkline check` tells what `trunkline serve` would refuse, and both in the same words."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.clients.command import run

OTHERS_KEY, ODD = "others.key", "odd.pem"


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and its key, another key, an encrypted one, an authority, and a file that is no PEM."""
    folder = tmp_path_factory.mktemp("pems")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("own", "others"):
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
    (folder / ODD).write_text("a certificate")
    return folder


async def faults(
    folder: Path, server: str, *more: str, options: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> list[str]:
    """What `check` says is wrong with a `server` section; `serve` says so, too, and ends."""
    file = folder / "config.yaml"
    file.write_text("\n".join((f"server: {{{server}}}", "providers: [{name: echo, type: echo}]", *more)))
    arguments = ("--config", str(file), "--data-dir", str(folder / "data"), *options)
    checked, served = await asyncio.gather(run("check", *arguments, env=env), run("serve", *arguments, env=env))
    told = [line.removeprefix("fault: ") for line in checked.out.splitlines() if line.startswith("fault: ")]
    assert (checked.code, served.code) == (1, 1)
    assert served.err.removeprefix("error: ").splitlines() == told
    return told


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("cert_file: none.pem, key_file: own.key", "server.tls.cert_file: {}/none.pem cannot be read"),
        ("cert_file: own.pem, key_file: none.key", "server.tls.key_file: {}/none.key cannot be read"),
        ("cert_file: odd.pem, key_file: own.key", "server.tls.cert_file: {}/odd.pem has no certificate in PEM"),
        ("cert_file: own.pem, key_file: odd.pem", "server.tls.key_file: {}/odd.pem has no private key in PEM"),
        ("cert_file: own.pem, key_file: others.key", "server.tls.key_file: {}/others.key does not fit the certificate"),
        (
            "cert_file: own.pem, key_file: own.key, client_ca_file: odd.pem",
            "server.tls.client_ca_file: {}/odd.pem has no certificate in PEM",
        ),
    ],
    ids=["no certificate", "no key", "odd certificate", "odd key", "another's key", "odd authority"],
)
async def test_certificates_that_are_none_are_a_fault(tmp_path: Path, pems: Path, files: str, expected: str) -> None:
    files = files.replace("file: ", f"file: {pems}/")
    told = await faults(tmp_path, f"tls: {{{files}}}")

    assert len(told) == 1
    assert told[0].startswith(expected.format(pems))


async def test_certificates_that_fit_are_fine(tmp_path: Path, pems: Path) -> None:
    file = tmp_path / "config.yaml"
    tls = f"{{cert_file: {pems}/own.pem, key_file: {pems}/own.key, client_ca_file: {pems}/ca.pem}}"
    file.write_text(f"server: {{tls: {tls}}}\n")
    ended = await run("check", "--config", str(file), "--data-dir", str(tmp_path / "data"))

    assert ended.code == 0


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("unix_socket: {}/none/t.sock", "server.unix_socket: there is no folder {}/none"),
        ("unix_socket: {}/taken", "server.unix_socket: {}/taken is there, and no socket"),
        ("unix_socket: {}/" + "s" * 100, "server.unix_socket: the name of a socket may have 107 bytes"),
        ("unix_socket: {}/t.sock, workers: 2", "server.unix_socket: a socket file has one process behind it"),
        ("port: 0, workers: 2", "server.port: several workers share their ports, so"),
        ("grpc_port: 0, workers: 2", "server.grpc_port: several workers share their ports, so"),
        ("metrics_port: 0, workers: 2", "server.metrics_port: several workers share their ports, so"),
        ("port: 8123, grpc_port: 8123", "server.grpc_port: 8123 is server.port already"),
        ("port: 8123, metrics_port: 8123", "server.metrics_port: 8123 is server.port already"),
    ],
    ids=[
        "no folder",
        "no socket",
        "long name",
        "socket of workers",
        "workers' port 0",
        "workers' gRPC port 0",
        "workers' probes port 0",
        "one port twice",
        "one port twice, too",
    ],
)
async def test_what_cannot_be_listened_at_is_a_fault(tmp_path: Path, server: str, expected: str) -> None:
    (tmp_path / "taken").touch()
    told = await faults(tmp_path, server.replace("{}", str(tmp_path)))

    assert len(told) == 1
    assert told[0].startswith(expected.format(tmp_path))


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("workers", "2", "2 workers cannot hold to limits together without Redis (rate_limit)"),
        ("port", "50051", "server.grpc_port: 50051 is server.port already"),
        ("grpc-port", "8000", "server.grpc_port: 8000 is server.port already"),
        ("metrics-port", "8000", "server.metrics_port: 8000 is server.port already"),
    ],
)
@pytest.mark.parametrize("by_variable", [True, False], ids=["variable", "option"])
async def test_what_is_said_beside_the_file_is_checked(
    tmp_path: Path, option: str, value: str, expected: str, by_variable: bool
) -> None:
    variable = f"TRUNKLINE_{option.upper().replace('-', '_')}"
    said: dict[str, Any] = {"env": {variable: value}} if by_variable else {"options": (f"--{option}", value)}
    told = await faults(tmp_path, "", "rate_limit: {requests_per_window: 5}", **said)

    assert len(told) == 1
    assert told[0].startswith(expected)


async def test_a_host_that_is_said_beside_the_file_is_checked(tmp_path: Path) -> None:
    ended = await run("check", "--data-dir", str(tmp_path), env={"TRUNKLINE_HOST": "192.0.2.1"})

    assert ended.code == 1
    assert "nothing can listen at 192.0.2.1:" in ended.out


@pytest.mark.parametrize(
    "log", ["{}/log", "{}/file/log", "/proc/none.log"], ids=["a folder", "in a file", "not for root either"]
)
async def test_a_log_that_cannot_be_written_is_a_fault(tmp_path: Path, log: str) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "file").touch()
    log = log.format(tmp_path)

    assert await faults(tmp_path, "port: 0, grpc_port: 0", f"logging: {{file: {log}}}") == [
        f"logging.file: {log} is a folder, or cannot be made or written"
    ]


@pytest.mark.parametrize("workers", [1, 2])
async def test_what_only_opening_the_log_finds_out_is_told_with_its_setting(tmp_path: Path, workers: int) -> None:
    file, log = tmp_path / "config.yaml", tmp_path / ("long" * 100)
    file.write_text(f"server: {{workers: {workers}}}\nlogging: {{file: {log}}}\n")
    ended = await run("serve", "--config", str(file), "--data-dir", str(tmp_path / "data"))

    assert ended.code == 1
    assert ended.err == f"error: logging.file: {log} cannot be made or written: File name too long\n"


async def test_selections_that_are_damaged_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model_selections.json").write_text("damaged")
    ports = "port: 0, grpc_port: 0"

    told = await faults(tmp_path, ports)

    assert [each.partition(": ")[2] for each in told] == [
        "the file is damaged; move it away to go on without selections",
    ]


@pytest.mark.parametrize("host", ["host", "grpc_host"])
async def test_an_address_of_another_machine_is_a_fault(tmp_path: Path, host: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"server: {{{host}: 192.0.2.1}}\n")
    ended = await run("check", "--config", str(file), "--data-dir", str(tmp_path / "data"))

    assert ended.code == 1
    assert f"fault: server.{host}: nothing can listen at 192.0.2.1:" in ended.out


async def test_a_port_where_something_listens_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = tmp_path / "config.yaml"
        file.write_text(f"server: {{port: {port}}}\n")
        ended = await run("check", "--config", str(file), "--data-dir", str(tmp_path / "data"))

    assert ended.code == 0
    assert f"warning: server.port: something listens at 127.0.0.1:{port}; if that is no gateway" in ended.out


async def test_a_data_folder_that_the_database_needs_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    file = tmp_path / "config.yaml"
    file.write_text("auth: {api_keys: [{name: ops, key: a-long-enough-key-0123456789}]}\n")
    ended = await run("check", "--config", str(file), "--data-dir", str(tmp_path / "folder" / "data"))

    assert ended.code == 1
    assert "set TRUNKLINE_DATA_DIR to another one" in ended.out
