"""TLS between callers and the core: who has a certificate of the core's authority is let in, and nobody else."""

from pathlib import Path

import aiohttp
import pytest
import trustme

from tests.clients.command import run as run_command
from tests.end_to_end.command import run, start
from tests.end_to_end.running import HOST, KEY, config, write_config

ASK = {"model": "echo", "messages": [{"role": "user", "content": "Hello there"}]}


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate, and certificates of it with their keys: the core's and a caller's."""
    folder = tmp_path_factory.mktemp("pems")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, identity in (("core", HOST), ("caller", "caller.example")):
        issued = authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        for pem in issued.cert_chain_pems:
            pem.write_to_path(str(folder / f"{name}.pem"), append=True)
    return folder


def core_config(folder: Path, pems: Path) -> Path:
    """A configuration of a core that asks its callers for certificates."""
    tls = {"cert_file": f"{pems}/core.pem", "key_file": f"{pems}/core.key", "client_ca_file": f"{pems}/ca.pem"}
    return write_config(folder, config([{"name": "echo", "type": "echo"}], {"tls": tls}))


async def test_a_front_shows_the_core_its_certificate(tmp_path: Path, pems: Path) -> None:
    path = core_config(tmp_path, pems)
    trusting = ("--core-ca", f"{pems}/ca.pem")
    own = ("--core-cert", f"{pems}/caller.pem", "--core-key", f"{pems}/caller.key")
    front = ("http", "--config", str(path), "--port", "0", "--core")
    async with (
        run(tmp_path, "core", "--config", str(path), "--grpc-port", "0") as core,
        run(tmp_path, *front, core.target, *trusting, *own) as known,
        run(tmp_path, *front, core.target, *trusting) as stranger,
        aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session,
    ):
        async with session.post(f"{known.url}/v1/chat/completions", json=ASK) as response:
            assert response.status == 200
            assert (await response.json())["choices"][0]["message"]["content"] == "Hello there"
        async with session.post(f"{stranger.url}/v1/chat/completions", json=ASK) as response:
            assert response.status == 503


async def test_a_command_shows_the_core_its_certificate(tmp_path: Path, pems: Path) -> None:
    path = core_config(tmp_path, pems)
    async with run(tmp_path, "core", "--config", str(path), "--grpc-port", "0") as core:
        asking = ("models", "--target", core.target, "--api-key", KEY, "--tls-ca", f"{pems}/ca.pem")
        known = await run_command(*asking, "--tls-cert", f"{pems}/caller.pem", "--tls-key", f"{pems}/caller.key")
        stranger = await run_command(*asking, "--timeout", "2")

    assert (known.code, stranger.code) == (0, 1)
    assert "echo" in known.out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--core-cert", "caller.pem"), "--core-key"),
        (("--core-key", "caller.key"), "--core-cert"),
        (("--core-cert", "caller.pem", "--core-key", "core.key"), "--core-key"),
        (("--core-ca", "core.key"), "--core-ca"),
    ],
    ids=["no key", "no certificate", "another's key", "no authority"],
)
async def test_files_that_do_not_fit_are_a_fault_of_the_options(
    tmp_path: Path, pems: Path, options: tuple[str, ...], named: str
) -> None:
    files = [each if each.startswith("--") else f"{pems}/{each}" for each in options]
    process = await start(tmp_path, "http", "--port", "0", "--core", f"{HOST}:1", *files)
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert f"Invalid value for {named}" in errors.decode()
    assert "Traceback" not in errors.decode()
