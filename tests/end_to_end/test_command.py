"""`trunkline serve` from its first line to its exit code."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import socket
from pathlib import Path

import aiohttp
import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import insert

from server.storage.database import Database
from server.storage.tables import BUDGETS
from tests.end_to_end import sse
from tests.end_to_end.command import LIMIT_S, Command, free_port, run, start
from tests.end_to_end.running import HOST, KEY, config, row, write_config
from tests.fakes.answers import Text
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_client import AsyncClient

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
ECHO = ChatCompletionRequest(model="echo", messages=[Message(role="user", content="Hello there")])
ANY = ("--port", "0", "--grpc-port", "0")


async def _run_curl_line(command: Command) -> tuple[int, dict[str, object]]:
    """Sends what the printed line would send."""
    line = next(line for line in command.printed.splitlines() if "curl " in line)
    words = shlex.split(line)
    headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
    data = words[words.index("-d") + 1]
    async with aiohttp.ClientSession() as session, session.post(words[1], data=data, headers=headers) as response:
        return response.status, await response.json()


async def test_it_says_where_it_is_and_gives_a_key_and_a_line_that_works(tmp_path: Path) -> None:
    async with run(tmp_path, *ANY, "--metrics-port", "0") as first:
        assert first.key is not None
        status, body = await _run_curl_line(first)
        assert status == 200
        assert "Hello there" in str(body["choices"])
        async with AsyncClient(first.target, api_key=first.key) as client:
            answer = await client.completions.create_chat_completion(ECHO)
        assert (answer.value.choices[0].message.content, answer.provider) == ("Hello there", "echo")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{first.probes}/health") as response:
                assert (await response.json())["status"] == "healthy"
            async with session.get(f"{first.probes}/v1/models") as response:
                assert response.status == 404
        first.signal()
        assert await first.ended() == 0
    async with run(tmp_path, *ANY) as second:
        assert second.key is None
        async with AsyncClient(second.target, api_key=first.key) as client:
            assert (await client.completions.create_chat_completion(ECHO)).provider == "echo"
        second.signal()
        assert await second.ended() == 0


async def test_the_core_may_listen_elsewhere_than_the_front(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"server: {{grpc_host: localhost}}\nauth: {{api_keys: [{KEY}]}}\nproviders: [{{name: echo, type: echo}}]\n"
    )
    async with run(tmp_path, *ANY, "--config", str(file)) as command:
        assert command.target.startswith("localhost:")
        async with AsyncClient(command.target, api_key=KEY) as client:
            assert (await client.completions.create_chat_completion(ECHO)).provider == "echo"
        command.signal()
        assert await command.ended() == 0


async def _all_listening(command: Command) -> set[int]:
    """The ids of two workers, once both listen."""
    async with asyncio.timeout(LIMIT_S):
        while len(listening := _workers_listening(command)) != 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return listening


def _workers_listening(command: Command) -> set[int]:
    """The ids of the workers that listen now."""
    port = int(command.url.rpartition(":")[2])
    listening = set()
    for worker in psutil.Process(command.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if any(each.laddr.port == port and each.status == "LISTEN" for each in worker.net_connections("tcp")):
                listening.add(worker.pid)
    return listening


async def _tells(stream: asyncio.StreamReader | None, words: bytes) -> bool:
    """Whether a line with these words comes; returns with it."""
    assert stream is not None
    async with asyncio.timeout(LIMIT_S):
        async for line in stream:
            if words in line:
                return True
    return False


async def test_front_and_core_run_apart(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(Text("Hello there"), Text("Hello again"))
    path = write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])]))
    async with (
        run(tmp_path, "core", "--config", str(path), "--grpc-port", "0") as core,
        run(tmp_path, "http", "--config", str(path), "--port", "0", "--core", core.target) as front,
        aiohttp.ClientSession(front.url, headers={"X-API-Key": KEY}) as session,
    ):
        assert front.key is None
        async with session.post(CHAT, json=ASK) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == "Hello there"
        async with session.post(CHAT, json={**ASK, "stream": True}) as response:
            assert sse.parse(await response.read()).done
        core.signal()
        assert await core.ended() == 0
        async with session.post(CHAT, json=ASK) as response:
            assert response.status == 503
            assert "error" in await response.json()
        front.signal()
        assert await front.ended() == 0


@pytest.mark.parametrize("rows", [[], [{"name": "openai", "type": "openai"}]], ids=["none", "one without a key"])
async def test_a_front_alone_remarks_nothing_on_providers(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    path = write_config(tmp_path, config(rows, {"reload": True}, logging={}))
    async with run(tmp_path, "http", "--config", str(path), "--port", "0", "--core", f"{HOST}:1") as front:
        front.signal()
        assert await front.ended() == 0
        assert front.process.stderr is not None
        remarks = [json.loads(line)["path"] for line in (await front.process.stderr.read()).splitlines()]
        assert remarks == ["server.reload"]


async def test_a_front_tries_its_core_again_and_again_without_waiting_longer_each_time(tmp_path: Path) -> None:
    path = write_config(tmp_path, config([]))
    tries = 0

    def try_in_vain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    core = await asyncio.start_server(try_in_vain, HOST, 0)
    target = f"{HOST}:{core.sockets[0].getsockname()[1]}"
    async with (
        core,
        run(tmp_path, "http", "--config", str(path), "--port", "0", "--core", target) as front,
        aiohttp.ClientSession(front.url) as session,
        asyncio.timeout(LIMIT_S),  # with gRPC's own backoff the eighth comes after some 40 seconds
    ):
        while tries < 8:
            async with session.get("/health") as response:
                assert response.status == 503


async def test_several_workers_answer_on_one_port_and_end_together(vendor: ScriptedVendor, tmp_path: Path) -> None:
    path = write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])]))
    ports = ("--port", str(free_port()), "--grpc-port", str(free_port()))
    async with run(tmp_path, "--config", str(path), "--workers", "2", *ports) as command:
        assert len(_workers_listening(command)) == 2, "it says where it is before it is there"
        for _ in range(8):
            async with (
                aiohttp.ClientSession(command.url, headers={"X-API-Key": KEY}) as session,
                session.post(CHAT, json=ASK) as response,
            ):
                assert response.status == 200
        command.signal()
        assert await command.ended() == 0


async def test_workers_that_still_start_are_stopped_as_well(tmp_path: Path) -> None:
    process = await start(tmp_path, "--workers", "2", "--port", str(free_port()), "--grpc-port", str(free_port()))
    async with asyncio.timeout(LIMIT_S):
        while len(psutil.Process(process.pid).children()) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    assert not printed
    assert not _has_key(tmp_path)


def _has_key(folder: Path) -> bool:
    """Whether a first key was made, which nobody is shown again."""
    return (folder / "data" / "api_keys.json").exists()


async def test_workers_end_when_the_process_above_them_is_gone(tmp_path: Path) -> None:
    ports = ("--port", str(free_port()), "--grpc-port", str(free_port()))
    async with run(tmp_path, "--workers", "2", *ports) as command:
        command.process.kill()
        assert command.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            # Its end comes when the last process that could write there is gone.
            assert await command.process.stdout.read() == b""


async def test_a_worker_whose_successor_cannot_start_yet_takes_no_other_with_it(tmp_path: Path) -> None:
    ports = ("--port", str(free_port()), "--grpc-port", str(free_port()))
    async with run(tmp_path, "--workers", "2", *ports) as command:
        dies, stays = await _all_listening(command)
        selections = tmp_path / "data" / "model_selections.json"
        selections.write_text("damaged")
        os.kill(dies, signal.SIGKILL)
        assert await _tells(command.process.stderr, b'"event":"worker_ended","worker":')
        selections.unlink()
        after = await _all_listening(command)
        assert stays in after
        assert dies not in after
        command.signal()
        assert await command.ended() == 0


async def test_a_worker_that_dies_is_told_where_everything_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    path = write_config(tmp_path, config([], logging={"file": str(log), "level": "ERROR"}))
    ports = ("--port", str(free_port()), "--grpc-port", str(free_port()))
    async with run(tmp_path, "--config", str(path), "--workers", "2", *ports) as command:
        dies = min(await _all_listening(command))
        os.kill(dies, signal.SIGKILL)
        while dies in await _all_listening(command):
            pass
        command.signal()
        assert await command.ended() == 0
        assert command.process.stderr is not None
        assert await command.process.stderr.read() == b""
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["event"], line["code"], line["level"]) for line in told] == [("worker_ended", -9, "error")]


@pytest.mark.parametrize("option", ["--port", "--grpc-port", "--metrics-port"])
async def test_a_port_that_is_taken_ends_it_with_a_line_that_says_so(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ports = {"--port": "0", "--grpc-port": "0", option: port}
        process = await start(tmp_path, *(word for pair in ports.items() for word in pair))
        printed, errors = await process.communicate()
    assert process.returncode == 1
    assert not printed
    assert not _has_key(tmp_path)
    text = errors.decode()
    assert "error:" in text
    assert port in text
    assert "Traceback" not in text
    assert "Unclosed" not in text


async def test_workers_whose_port_is_taken_end_with_a_line_that_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = await start(tmp_path, "--workers", "2", "--port", port, "--grpc-port", str(free_port()))
        printed, errors = await process.communicate()
    assert process.returncode == 1
    assert not printed
    assert not _has_key(tmp_path)
    assert port in errors.decode()
    assert "worker_ended" not in errors.decode()


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("redis", "redis://:s3cr3t/x@127.0.0.1:1/0"),
        ("redis", "redis://:x@127.0.0.1:1/s3cr3t"),
        ("redis", "redis://127.0.0.1:1/0?db=s3cr3t"),
        ("redis", "redis://127.0.0.1:1/0?s3cr3t=x"),
        ("storage", "postgresql://u:s3cr3t/x@127.0.0.1:1/d"),
    ],
)
async def test_a_url_that_is_none_ends_it_with_a_line_that_says_so(tmp_path: Path, section: str, url: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"{section}:\n  url: {url}\n")
    process = await start(tmp_path, *ANY, "--config", str(file))
    printed, errors = await process.communicate()
    assert (process.returncode, printed) == (1, b"")
    assert f"error: {section}.url: " in errors.decode()
    assert "s3cr3t" not in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("options", [("--core", "here"), ("--core", "127.0.0.1:1", "--core-ca", "nowhere.pem")])
async def test_a_core_that_cannot_be_named_so_is_a_fault_of_the_options(tmp_path: Path, options: tuple[str, ...]) -> None:
    process = await start(tmp_path, "http", "--port", "0", *options)
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert options[-2] in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_workers_with_a_socket_file_do_not_start(tmp_path: Path) -> None:
    path = write_config(tmp_path, config([], {"unix_socket": str(tmp_path / "core.sock")}))
    process = await start(tmp_path, "core", "--config", str(path), "--workers", "2", "--grpc-port", str(free_port()))
    printed, errors = await process.communicate()
    assert (process.returncode, printed) == (1, b"")
    assert "error: server.unix_socket" in errors.decode()


async def test_workers_with_limits_and_nothing_to_share_them_do_not_start(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("rate_limit:\n  requests_per_window: 5\n")
    process = await start(tmp_path, "--config", str(file), "--workers", "2", "--port", "8000", "--grpc-port", "8001")
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "set `redis.url`, or start one worker" in " ".join(errors.decode().split())


async def test_workers_with_budgets_and_nothing_to_share_them_do_not_start(tmp_path: Path) -> None:
    file, data = tmp_path / "config.yaml", tmp_path / "data"
    file.write_text("{}\n")
    data.mkdir()
    database = await Database.open(None, data)
    budget = {"id": "all", "display_name": "All", "scope": "global", "scope_id": "", "limit_micros": 5, "period": "total"}
    async with database.begin() as connection:
        await connection.execute(
            insert(BUDGETS), {**budget, "enforced": True, "thresholds": "[]", "create_time": 1, "update_time": 1}
        )
    await database.close()
    ports = ("--port", str(free_port()), "--grpc-port", str(free_port()))
    process = await start(tmp_path, "--config", str(file), "--workers", "2", *ports)
    _, errors = await process.communicate()
    assert process.returncode == 1
    told = " ".join(errors.decode().split())
    assert "without Redis (quotas and budgets in the database): set `redis.url`, or start one worker." in told
    assert "worker_ended" not in told
