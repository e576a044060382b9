"""What operators selected outlives the gateway, and a file that makes no sense keeps it from starting."""

from pathlib import Path

import aiohttp

from server.catalogue.selection_file import FILE_NAME
from tests.end_to_end.command import run, start
from tests.end_to_end.running import KEY, config, write_config

ANY = ("--port", "0", "--grpc-port", "0")
SELECTION = "/v1/providers/echo/model_selection"
HEADERS = {"X-API-Key": KEY}


async def test_a_selection_is_there_after_a_restart(tmp_path: Path) -> None:
    document = config([{"name": "echo", "type": "echo"}])
    options = (*ANY, "--config", str(write_config(tmp_path, document)))
    async with (
        run(tmp_path, *options) as first,
        aiohttp.ClientSession(first.url, headers=HEADERS) as http,
        http.put(SELECTION, json={"selected_model": "echo", "max_tokens": 5}) as response,
    ):
        made = await response.json()
    async with (
        run(tmp_path, *options) as second,
        aiohttp.ClientSession(second.url, headers=HEADERS) as http,
        http.get(SELECTION) as response,
    ):
        assert await response.json() == made
    assert made["max_tokens"] == 5


async def test_a_damaged_file_is_told_and_nothing_starts(tmp_path: Path) -> None:
    document = config([{"name": "echo", "type": "echo"}])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE_NAME).write_bytes(b"{")
    process = await start(tmp_path, *ANY, "--config", str(write_config(tmp_path, document)))
    assert process.stderr is not None
    said = (await process.stderr.read()).decode()
    assert await process.wait() == 1
    assert said.startswith("error: ")
    assert "the file is damaged" in " ".join(said.split())
