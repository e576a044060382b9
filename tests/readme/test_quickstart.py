"""What the README shows works, as it is written there."""

import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from server.config import load
from server.providers.loader import provider_kinds
from tests.readme.blocks import README, ROOT, marked_blocks
from tests.readme.gateway import Served, run, serve

BLOCKS = marked_blocks(README.read_text())
PRINTED = {
    "curl": ['"content":"Hello there"', '"_proxy_info":{"provider":"echo"'],
    "curl-stream": ['"content":"Hello"', '"content":" there"', '"_proxy_info":', "data: [DONE]"],
    "openai": ["Hello there\nHello there"],
    "client": ["Hello there\nfrom echo, at attempt 1\nmodel_not_found nobody\n"],
    "stubs": ["echo by echo\n"],
    "health": ["SERVING\n"],
    "command": ["Hello there\n", "MODEL", "echo", "fine."],
}
"""What each block that is run as it stands prints."""

CONFIGURATIONS = ("config", "routing", "chaos", "limits", "compatible")
FILES = (*CONFIGURATIONS, "provider")
"""The blocks that are files."""

no_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    """A gateway on its embedded defaults."""
    async with serve(tmp_path) as served:
        yield served


@pytest.mark.parametrize("name", [pytest.param(name, marks=no_curl if "curl" in name else ()) for name in PRINTED])
async def test_what_the_readme_shows_prints_what_it_should(gateway: Served, tmp_path: Path, name: str) -> None:
    language, text = BLOCKS[name]
    command = [sys.executable, "-W", "error", "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    own = {
        "TRUNKLINE_API_KEY": gateway.key,
        "TRUNKLINE_TARGET": gateway.grpc,
        "TRUNKLINE_DATA_DIR": str(tmp_path / "data"),
    }
    code, out, err = await run([*command, gateway.here(text)], own)
    assert (code, [part for part in PRINTED[name] if part not in out]) == (0, []), out + err


def test_every_marked_block_is_run_or_read() -> None:
    assert set(BLOCKS) == {*PRINTED, *FILES}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_configurations_load_without_remarks(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(BLOCKS[name].text)
    env = {"DESK_KEY": "llm_desk", "OPERATOR_KEY": "llm_operator", "OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"}
    assert load(file, env, provider_kinds()).notices == ()


def test_every_type_of_provider_is_in_the_table() -> None:
    table = README.read_text().partition("### Provider types")[2].partition("###")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {word.strip(" `()") for cell in first_cells for word in cell.replace("(", ",").split(",")}
    kinds = provider_kinds()
    assert listed == {name for kind in kinds for name in (kind.type, *kind.aliases)}


def test_every_variable_that_the_command_reads_is_told() -> None:
    source = "".join(path.read_text() for path in (ROOT / "clients" / "cli" / "trunkline_cli").glob("*.py"))
    readme = README.read_text()
    assert [name for name in re.findall(r'envvar="(\w+)"', source) if f"`{name}`" not in readme] == []


def test_the_command_that_runs_the_tests_is_the_one_told() -> None:
    command = README.read_text().partition("<!-- the test command -->\n```sh\n")[2].partition("\n```")[0]
    assert command == "make test"
    assert f"\n{command} " in (ROOT / ".ci" / "run").read_text()


async def test_one_new_file_is_a_new_provider(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "server", tmp_path / "own" / "server", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "own" / "server" / "providers" / "parrot.py").write_text(BLOCKS["provider"].text)
    asked: list[tuple[str | None, object]] = []

    async def say(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        asked.append((request.headers.get("Authorization"), body))
        return web.json_response({"said": body["say"]})

    app = web.Application()
    app.router.add_post("/say", say)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        row = {"name": "bird", "type": "parrot", "base_url": f"http://{host}:{port}", "api_key": "sk-bird"}
        config = tmp_path / "config.yaml"
        config.write_bytes(orjson.dumps({"auth": {"api_keys": ["a-key"]}, "providers": [row]}))
        own = {"PYTHONPATH": str(tmp_path / "own")}
        async with serve(tmp_path, "--config", str(config), own=own) as served:
            answer = await run(
                ["trunkline", "chat", "--model", "parrot-1", "Hello there"],
                {"TRUNKLINE_TARGET": served.grpc, "TRUNKLINE_API_KEY": "a-key"},
            )
    finally:
        await runner.cleanup()
    assert answer == (0, "Hello there\n", "")
    assert asked == [("Bearer sk-bird", {"say": "Hello there"})]
