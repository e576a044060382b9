"""One process's gateway: the only place that puts server and front together."""

import asyncio
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Self, cast

import grpc

from gateway_http.app import create_app, create_metrics_app
from gateway_http.server import HttpServer
from gateway_http.settings import HttpSettings
from server.app import Core, Listen, log_notices, secrets_of
from server.config import Loaded, Settings
from server.telemetry.logging import configure
from server.telemetry.redaction import Redaction
from trunkline_cli.addresses import Addresses
from trunkline_client import AsyncClient, Tls, open_channel

VERSION = version("trunkline")
_LAST_WORDS_S = 2.0
"""How long callers may take to read the end of an answer that was cut off."""

_RECONNECTING = (("grpc.initial_reconnect_backoff_ms", 250), ("grpc.max_reconnect_backoff_ms", 250))
"""How long a front waits between two tries to reach its core; gRPC by itself waits longer each time, up to two minutes."""


class Gateway:
    """A gateway in the running loop: a core, a front, or both.

    Args:
        core: the server; None: it is elsewhere.
        channel: leads to the server.
        http: the fronts and where they are to listen, the main one first.
    """

    def __init__(self, core: Core | None, channel: grpc.aio.Channel, http: list[HttpServer], addresses: Addresses) -> None:
        self._core = core
        self._channel = channel
        self._http = http
        self.addresses = addresses

    @classmethod
    async def start(
        cls,
        loaded: Loaded,
        first_key: bytes | None,
        addresses: Addresses,
        core: str | None = None,
        core_tls: Tls | None = None,
        data_dir: Path | None = None,
    ) -> Self:
        """Starts what `addresses` has a port for.

        Args:
            loaded: the configuration.
            first_key: the SHA-256 digest of the key that is there when the configuration has none.
            addresses: where to listen.
            core: `host:port` or `unix:/path` of a server elsewhere; None: one in this process.
            core_tls: how to speak to it.
            data_dir: where the server keeps what must last; None: it lasts as long as the process.

        Raises:
            OSError: an address is taken or not ours, or the log's file cannot be opened.
            SelectionFileError: a file in `data_dir` makes no sense.
            StorageError: the database cannot be used.
            UnheldLimitsError: the database has limits that workers could not hold to together, or not without a ledger.
        """
        settings = loaded.settings
        redaction = begin_log(loaded)
        # Of a front alone, providers are its core's matter.
        log_notices(each for each in loaded.notices if core is None or not each.path.startswith("providers"))
        own: Core | None = None
        if core is None:
            own = Core(loaded, first_key, VERSION, redaction, data_dir=data_dir)
            channel = cast(grpc.aio.Channel, own.channel)
        else:
            # The server makes the attempts; a front that repeated them would multiply them.
            channel = open_channel(core, tls=core_tls, retries=None, options=_RECONNECTING)
        gateway = cls(own, channel, [], addresses)
        try:
            if own is not None:
                await own.start(_listen(settings, addresses))
            await gateway._start_http(settings)
        except BaseException:
            await gateway.stop(0)
            raise
        return gateway

    async def _start_http(self, settings: Settings) -> None:
        addresses, http_settings = self.addresses, _http_settings(settings)
        client = AsyncClient(self._channel)
        ports: list[int | None] = []
        for port, create in ((addresses.port, create_app), (addresses.metrics_port, create_metrics_app)):
            if port is None:
                ports.append(None)
                continue
            server = HttpServer(create(lambda: client, http_settings))
            await server.start(addresses.host, port, addresses.reuse_port)
            self._http.append(server)
            ports.append(server.port)
        grpc_port = self._core.port if self._core is not None and addresses.grpc_port is not None else None
        self.addresses = replace(addresses, port=ports[0], metrics_port=ports[1], grpc_port=grpc_port)

    async def stop(self, drain_s: float) -> None:
        """Stops truthfully: no new work, running streams get `drain_s` seconds, the rest are ended with an error."""
        if self._core is not None:
            await self._core.drain()
        for server in self._http:
            server.stop_accepting()
        fronts = asyncio.gather(*(server.stop(drain_s + _LAST_WORDS_S) for server in self._http))
        if self._core is not None:
            await self._core.stop(drain_s)
        else:
            await asyncio.wait([fronts], timeout=drain_s)
            await self._channel.close()
        await fronts


def begin_log(loaded: Loaded) -> Redaction:
    """Has this process log as the configuration says, and returns what keeps its secrets out of that.

    Raises:
        OSError: the file cannot be opened; its text names the setting.
    """
    redaction, settings = Redaction(secrets_of(loaded)), loaded.settings
    level, file = "DEBUG" if settings.server.debug else settings.logging.level, _path(settings.logging.file)
    try:
        configure(level, settings.logging.format == "json", file, redaction)
    except OSError as error:
        raise OSError(f"logging.file: {file} cannot be made or written: {error.strerror}") from error
    return redaction


def _listen(settings: Settings, addresses: Addresses) -> Listen | None:
    if addresses.grpc_port is None:
        return None
    server = settings.server
    host = addresses.grpc_host or addresses.host
    return Listen(host, addresses.grpc_port, _path(server.unix_socket), server.tls, addresses.reuse_port)


def _http_settings(settings: Settings) -> HttpSettings:
    return HttpSettings(
        api_key_header=settings.auth.api_key_header,
        cors_origins=settings.server.cors_origins,
        max_body_bytes=int(settings.server.max_body_mb * 1024 * 1024),
        keepalive_s=settings.server.sse_keepalive_s,
    )


def _path(value: object) -> Path | None:
    return None if value is None else Path(str(value))
