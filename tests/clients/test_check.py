"""`trunkline check` tells what is wrong and what is missing, and nothing that is secret."""

import json
import os
from pathlib import Path

import pytest

from tests.clients.command import Ended, run

SECRET = "s3cr3t-Zq7Wv2"
KEYS = {
    name: f"{SECRET}-{index}"
    for index, name in enumerate(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "MY_KEY", "TRUNKLINE_API_KEY"))
}


async def check(folder: Path, config: str | None = None, *, env: dict[str, str] | None = None) -> Ended:
    """Checks a configuration, with a data folder of its own."""
    arguments = ["check", "--data-dir", str(folder / "data")]
    if config is not None:
        file = folder / "config.yaml"
        file.write_text(config)
        arguments += ["--config", str(file)]
    return await run(*arguments, env=env)


def cells(ended: Ended, name: str) -> str:
    """The line of the table that begins with this name."""
    return next(line for line in ended.out.splitlines() if line.startswith(f"{name} "))


async def test_the_embedded_defaults_are_fine(tmp_path: Path) -> None:
    ended = await check(tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert "not needed" in cells(ended, "echo")
    assert "set one of these to ask more vendors: " in ended.out
    assert "OPENAI_API_KEY (openai)" in ended.out
    assert ended.out.endswith("The embedded defaults are fine.\n")
    assert "\x1b" not in ended.out


async def test_a_vendor_whose_variable_is_set_is_there(tmp_path: Path) -> None:
    ended = await check(tmp_path, env={"OPENAI_API_KEY": SECRET})

    assert ended.code == 0
    assert cells(ended, "openai").split()[:4] == ["openai", "openai", "api.openai.com", "set"]
    assert "OPENAI_API_KEY (openai)" not in ended.out


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("type: openai", "missing: set OPENAI_API_KEY"),
        ("type: openai\n    api_key_env: MY_KEY", "missing: set the variable `MY_KEY`"),
        ("type: openai\n    base_url: https://llm.example", "missing: name its variable with `api_key_env`"),
        ("type: openai\n    api_key: k-1", " set "),
        ("type: echo", "not needed"),
    ],
    ids=["usual variable", "named variable", "another address", "key in the file", "no key needed"],
)
async def test_a_provider_tells_whether_its_key_is_missing(tmp_path: Path, row: str, expected: str) -> None:
    ended = await check(tmp_path, f"providers:\n  - name: mine\n    {row}\n")

    assert ended.code == 0
    assert expected in cells(ended, "mine")


async def test_a_missing_key_is_a_warning(tmp_path: Path) -> None:
    ended = await check(tmp_path, "providers:\n  - name: mine\n    type: openai\n")

    assert "warning: line 2: providers[0]: the provider has no key" in ended.out


async def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    ended = await check(tmp_path, "server:\n  port: many\nproviders:\n  - name: mine\n    type: nobody\n")

    assert ended.code == 1
    faults = [line for line in ended.out.splitlines() if line.startswith("fault: ")]
    assert [line.split(":")[2] for line in faults] == ["2", "5"]
    assert "fine" not in ended.out


async def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    ended = await run("check", env={"TRUNKLINE_CONFIG": str(tmp_path / "none.yaml")})

    assert ended.code == 1
    assert "none.yaml: the file cannot be read" in ended.out


async def test_limits_of_several_workers_without_redis_are_a_fault(tmp_path: Path) -> None:
    limited = "server:\n  workers: 3\nrate_limit:\n  requests_per_window: 5\n"
    ended = await check(tmp_path, limited)

    assert ended.code == 1
    assert "fault: 3 workers cannot hold to limits together without Redis (rate_limit)" in ended.out
    assert (await check(tmp_path, limited + "redis:\n  url: redis://127.0.0.1\n")).code == 0


async def test_a_data_folder_that_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    ended = await check(tmp_path)

    assert ended.code == 1
    assert "set TRUNKLINE_DATA_DIR to another one" in ended.out


async def test_a_data_folder_does_not_matter_when_keys_and_rows_are_elsewhere(tmp_path: Path) -> None:
    keys = "auth: {api_keys: [{name: ops, key: a-long-enough-key-0123456789}]}\n"
    file = tmp_path / "config.yaml"
    file.write_text(f"{keys}storage: {{url: 'sqlite:///{tmp_path}/rows.db'}}\n")
    ended = await run("check", "--config", str(file), "--data-dir", "/proc/none")

    assert ended.code == 0


async def test_a_damaged_first_key_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "api_keys.json").write_text("{}")
    ended = await check(tmp_path)

    assert ended.code == 1
    assert "the file is damaged" in ended.out


async def test_a_first_key_that_is_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    content = json.dumps({"api_keys": [{"sha256": "ab" * 32, "roles": ["admin"]}]})
    (tmp_path / "data" / "api_keys.json").write_text(content)
    ended = await check(tmp_path)

    assert ended.code == 0
    assert "the one made at the first start" in ended.out
    assert "abab" not in ended.out


async def test_checking_writes_nothing(tmp_path: Path) -> None:
    await check(tmp_path)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "config",
    [
        f"providers:\n  - {{name: a, type: openai, api_key: {SECRET}}}\n",
        f"providers:\n  - {{name: a, type: openai, custom_headers: {{X-Key: {SECRET}}}}}\n",
        "providers:\n  - {name: a, type: openai, api_key: '${MY_KEY}'}\n  - {name: b, type: anthropic}\n",
        f"auth:\n  api_keys:\n    - {{name: ops, key: {SECRET}-0123456789}}\n",
        f"storage:\n  url: postgresql://user:{SECRET}@db/trunkline\nredis:\n  url: redis://:{SECRET}@cache\n",
        f"providers:\n  - {{name: a, type: openai, api_key: [{SECRET}]}}\n",
        f"providers:\n  - {{name: a, type: openai, api_key: {{{SECRET}: 1}}}}\n",
        f"providers:\n  - {{name: a, type: {SECRET}}}\n",
        f"providers:\n  - {{name: a, type: openai, api_key_env: {SECRET}}}\n",
        f"providers:\n  - {{name: a, type: openai, base_url: 'https://user:{SECRET}@llm.example'}}\n",
        f"providers:\n  - {{name: a, type: openai, base_url: 'https://llm.example/{SECRET}/v1'}}\n",
        f"providers:\n  - {{name: a, type: openai, api_key: '{SECRET}\n",
        f"server:\n  port: {SECRET}\n",
        f"{SECRET}: 1\n",
        f"auth: {SECRET}\n",
        f"- {SECRET}\n",
    ],
    ids=[
        "key",
        "header",
        "variable",
        "callers' key",
        "addresses",
        "key as a list",
        "key as a name",
        "type",
        "variable's name",
        "credentials in an address",
        "path of an address",
        "broken YAML",
        "port",
        "unknown name",
        "section",
        "list",
    ],
)
@pytest.mark.parametrize("env", [{}, KEYS], ids=["no keys", "keys"])
async def test_no_secret_is_ever_written(tmp_path: Path, config: str, env: dict[str, str]) -> None:
    ended = await check(tmp_path, config, env=env)

    assert ended.code in {0, 1}
    assert SECRET.lower() not in (ended.out + ended.err).lower()
    assert "Traceback" not in ended.err


async def test_no_key_of_the_environment_is_written(tmp_path: Path) -> None:
    ended = await check(tmp_path, env=KEYS)

    assert ended.code == 0
    assert SECRET not in ended.out + ended.err
