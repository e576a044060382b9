"""Runs the front in the running loop: listens, stops listening, lets running requests finish."""

import asyncio
import socket
import time

from sanic import Sanic
from sanic.application.state import ApplicationServerInfo
from sanic.http import Http
from sanic.http.constants import HTTP
from sanic.server.async_server import AsyncioServer
from sanic.server.protocols.http_protocol import HttpProtocol

from gateway_http.exchange import App
from gateway_http.protocol import FrontProtocol

_BACKLOG = 1024
_POLL_S = 0.02


class HttpServer:
    """A front that listens. `start` and `stop` it in one and the same running loop.

    Args:
        app: the front.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._server: AsyncioServer | None = None
        self.port = 0
        """The port that it got."""

    async def start(self, host: str, port: int, reuse_port: bool = False) -> None:
        """Begins to listen.

        Args:
            host: an address or a name.
            port: 0: any that is free.
            reuse_port: whether other processes listen there too.

        Raises:
            OSError: the address is taken or not ours.
        """
        listener = await _listener(host, port, reuse_port)
        self.port = listener.getsockname()[1]
        server = await self._app.create_server(
            sock=listener, protocol=FrontProtocol, backlog=_BACKLOG, asyncio_server_kwargs={"start_serving": False}
        )
        if server is None:
            raise OSError("the HTTP server could not be created")
        # Sanic thinks of HTTP/3 where it does not know what is served, and then sends an empty `alt-svc`.
        self._app.state.server_info.append(ApplicationServerInfo({"version": HTTP.VERSION_1}))
        # Sanic rewrites its own classes when the first app of a process starts, and fails when it does so twice.
        self._app.config.TOUCHUP = not getattr(Http, "__touched__", False)
        await server.startup()  # type: ignore[no-untyped-call]
        await server.start_serving()  # type: ignore[no-untyped-call]
        self._server = server

    def stop_accepting(self) -> None:
        """Takes no new connection, and no new request on the open ones."""
        if self._server is None:
            return
        self._app.config.KEEP_ALIVE = False
        self._server.close()  # type: ignore[no-untyped-call]
        for connection in self._connections():
            connection.close_if_idle()

    async def stop(self, grace_s: float) -> None:
        """Waits `grace_s` seconds for the running requests, then closes what is still open."""
        if self._server is None:
            return
        self.stop_accepting()
        deadline = time.monotonic() + grace_s
        # Sanic has no event for the end of a connection, so its set of them is looked at.
        while self._connections() and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
            for connection in self._connections():
                connection.close_if_idle()  # its response may have begun when connections were still kept
        for connection in self._connections():
            connection.abort()  # type: ignore[no-untyped-call]
        while self._connections():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        Sanic.unregister_app(self._app)

    def _connections(self) -> list[HttpProtocol]:
        return list(self._server.connections) if self._server is not None else []


async def _listener(host: str, port: int, reuse_port: bool) -> socket.socket:
    """A bound socket. Bound here, so that a taken port is an error at once and the port is known."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener
