"""A database is copied whole after its gateway was killed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp

from server.storage.database import Database
from tests.clients.command import Ended
from tests.clients.command import run as run_command
from tests.end_to_end.command import run
from tests.end_to_end.rows import see_rows
from tests.end_to_end.running import KEY, config, write_config

_REQUESTS = 5


async def test_what_a_killed_gateway_had_not_written_yet_is_in_the_copy(tmp_path: Path, postgresql_url: str) -> None:
    data, ids = tmp_path / "data", {f"r{number}" for number in range(_REQUESTS)}
    file = write_config(tmp_path, config([{"name": "echo", "type": "echo", "models": ["echo"]}]))
    async with run(tmp_path, "--config", str(file), "--port", "0", "--grpc-port", "0") as command:
        with closing(sqlite3.connect(data / "trunkline.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # so rows wait
            async with aiohttp.ClientSession(command.url, headers={"Authorization": f"Bearer {KEY}"}) as session:
                for id in ids:
                    body = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}
                    async with session.post("/v1/chat/completions", json=body, headers={"x-request-id": id}) as response:
                        assert response.status == 200, await response.text()
            running = await copy(data, postgresql_url)
            assert (running.code, "is in use" in running.err) == (1, True), running
            command.process.kill()
            await command.process.wait()
    ended = await copy(data, postgresql_url)
    assert ended.code == 0, ended.err
    assert f"{_REQUESTS} completions that waited in {data}/spool" in " ".join(ended.out.split())
    copied = await Database.open(postgresql_url, None)
    assert {(row.request_id, row.state) for row in await see_rows(copied)} == {(id, "settled") for id in ids}
    await copied.close()


async def copy(data: Path, url: str) -> Ended:
    return await run_command("db", "copy", "--from", f"sqlite:///{data}/trunkline.db", "--to", url)
