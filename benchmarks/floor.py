"""The REST floor: the least that a gateway can do, and so what the gateway is measured by.

A Sanic handler in one process that parses the JSON and forwards it with aiohttp, nothing else. An unstreamed answer is
returned as it came; of a stream every read is sent on at once.

    python -m benchmarks.floor --port 9001 --provider http://127.0.0.1:9000
"""

import argparse
from collections.abc import Callable
from types import SimpleNamespace
from typing import Protocol

import aiohttp
import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config
from sanic.response import raw

App = Sanic[Config, SimpleNamespace]
HEADERS = {"Authorization": "Bearer x", "Content-Type": "application/json"}
PATH = "/v1/chat/completions"


class Client(Protocol):
    """What forwards."""

    async def close(self) -> None:
        """Ends it."""


def create_app(provider_url: str) -> App:
    """Builds the app that forwards to the provider at this URL."""
    app: App = Sanic("floor")
    url = provider_url + PATH
    keep_client(app, lambda: aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

    @app.post(PATH)
    async def complete(request: Request) -> HTTPResponse | None:
        body = orjson.loads(request.body)
        async with app.ctx.client.post(url, data=request.body, headers=HEADERS) as answer:
            if not body.get("stream"):
                return raw(await answer.read(), content_type="application/json")
            response = await request.respond(content_type="text/event-stream")
            async for data in answer.content.iter_any():
                await response.send(data)
            await response.eof()
            return None

    return app


def keep_client(app: App, open_client: Callable[[], Client]) -> None:
    """Opens a client in the app's context, `client`, for as long as the app runs."""

    @app.before_server_start
    async def begin(app: App) -> None:
        app.ctx.client = open_client()

    @app.after_server_stop
    async def end(app: App) -> None:
        await app.ctx.client.close()


def serve(description: str, create: Callable[[str], App]) -> None:
    """Runs the app that is created for a provider's URL, with both the URL and the port from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--provider", required=True)
    arguments = parser.parse_args()
    create(arguments.provider).run(
        "127.0.0.1", arguments.port, single_process=True, access_log=False, debug=False, motd=False
    )


if __name__ == "__main__":
    serve("The REST floor of the benchmarks.", create_app)
