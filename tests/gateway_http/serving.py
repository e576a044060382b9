"""What the tests of the front share: a running gateway, and callers that speak to it byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import cast

from server.config import Loaded, load
from server.providers.loader import provider_kinds
from trunkline_cli.addresses import Addresses
from trunkline_cli.gateway import Gateway

KEY = "tl-test-key-0123456789"
PATIENCE_S = 20.0
"""How long a test waits before it calls a wait a hang. Nothing ever takes that long."""

ECHO = """
    providers:
      - {name: echo, type: echo, models: [echo]}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens."""

    gateway: Gateway
    port: int
    grpc_port: int
    log: Path

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def errors_logged(self) -> list[str]:
        """The log's lines that tell of a fault of the gateway itself."""
        return [
            line for line in self.log_text().splitlines() if json.loads(line)["level"] in ("error", "critical", "warning")
        ]


def loaded(folder: Path, text: str, log_level: str = "DEBUG", log_format: str = "json") -> Loaded:
    """A configuration of some providers; its log is in the folder."""
    file = folder / "config.yaml"
    logging = f"logging: {{level: {log_level}, format: {log_format}, file: {folder / 'gateway.log'}}}\n"
    file.write_text(logging + dedent(text), encoding="utf-8")
    return load(file, {}, provider_kinds())


@asynccontextmanager
async def running(
    folder: Path, text: str = ECHO, log_level: str = "DEBUG", log_format: str = "json"
) -> AsyncIterator[Running]:
    """Runs a gateway whose key is KEY; when it has stopped, nothing of it is left in the loop."""
    before = asyncio.all_tasks()
    addresses = Addresses("127.0.0.1", 0, 0)
    gateway = await Gateway.start(loaded(folder, text, log_level, log_format), sha256(KEY.encode()).digest(), addresses)
    port, grpc_port = cast(int, gateway.addresses.port), cast(int, gateway.addresses.grpc_port)
    try:
        yield Running(gateway, port, grpc_port, folder / "gateway.log")
    finally:
        await asyncio.wait_for(gateway.stop(0), PATIENCE_S)
    # gRPC's own poller and server tasks end by themselves once the server has gone.
    left = [task for task in asyncio.all_tasks() - before - {asyncio.current_task()} if "grpc" not in repr(task)]
    assert not left, left


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        return cast(dict[str, object], json.loads(self.body))

    @property
    def error(self) -> dict[str, object]:
        """The error of a body that has OpenAI's shape, which it is checked for."""
        body = self.json()
        assert set(body) == {"error", "timestamp", "request_id"}, body
        assert body["request_id"] == self.headers["x-request-id"]
        error = cast(dict[str, object], body["error"])
        assert {"message", "type", "param", "code"} <= set(error), error
        assert error["message"]
        return error


class Caller:
    """One connection to a gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, head_only: bool = False) -> Answer:
        """The next response, read to its end."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            version, status, *_ = status_line.split(" ")
            assert version == "HTTP/1.1"
            headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
            if head_only or status in ("204", "304"):
                body = b""
            elif headers.get("transfer-encoding") == "chunked":
                body = await self._chunked()
            else:
                body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(status), headers, body)

    async def _chunked(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def closed(self) -> None:
        """Returns once the gateway has closed the connection; fails where something else comes."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                assert await self.reader.read() == b""

    def leave(self) -> None:
        """Goes at once, with a reset."""
        self.writer.transport.abort()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Caller]:
    """A connection, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def raw(port: int, data: bytes) -> Answer:
    """Sends bytes over a connection of their own; gives the response."""
    async with connected(port) as caller:
        await caller.send(data)
        return await caller.answer()


def request_bytes(
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str | bytes] | None = None,
    key: str | None = KEY,
    version: str = "HTTP/1.1",
) -> bytes:
    """A request as bytes; headers are as given, and a content length and type are added where they are not there."""
    given: dict[str, str | bytes] = {"host": "localhost"}
    if key is not None:
        given["authorization"] = f"Bearer {key}"
    if body is not None:
        given |= {"content-type": "application/json", "content-length": str(len(body))}
    given |= {name.lower(): value for name, value in (headers or {}).items()}
    if body is not None and "transfer-encoding" in given:
        del given["content-length"]
    lines = [f"{method} {path} {version}".encode("latin-1")]
    for name, value in given.items():
        if value:
            lines.append(name.encode("latin-1") + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


async def call(
    port: int,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str | bytes] | None = None,
    key: str | None = KEY,
) -> Answer:
    """One request over a connection of its own. A body that is not bytes is written as JSON; an empty header is left out."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return await raw(port, request_bytes(method, path, data, headers, key))


CHAT = "/v1/chat/completions"


def chat(**changes: object) -> dict[str, object]:
    """A valid chat request, changed."""
    return {"model": "echo", "messages": [{"role": "user", "content": "Hello there"}], **changes}
