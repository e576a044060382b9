"""A lower REST floor: what `floor.py` does, over the gateway's own connections to providers.

They cost less than aiohttp's sessions, which counts in the gateway's favour; this shows how much is due to them.

    python -m benchmarks.lower_floor --port 9001 --provider http://127.0.0.1:9000
"""

import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.response import raw

from benchmarks.floor import HEADERS, PATH, App, keep_client, serve
from server.providers.http.http1 import Http1

_ANSWER_S = 600.0


def create_app(provider_url: str) -> App:
    """Builds the app that forwards to the provider at this URL."""
    app: App = Sanic("lower_floor")
    url = provider_url + PATH
    keep_client(app, lambda: Http1(5.0, None, max_connections=4096, keepalive_s=60.0, max_idle=4096))

    @app.post(PATH)
    async def complete(request: Request) -> HTTPResponse | None:
        body = orjson.loads(request.body)
        async with await app.ctx.client.post(url, HEADERS, request.body, _ANSWER_S) as answer:
            if not body.get("stream"):
                return raw(await answer.body(), content_type="application/json")
            response = await request.respond(content_type="text/event-stream")
            while data := await answer.read():
                await response.send(data)
            await response.eof()
            return None

    return app


if __name__ == "__main__":
    serve("The lower REST floor of the benchmarks.", create_app)
