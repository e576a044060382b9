"""CORS as configured. Source: https://fetch.spec.whatwg.org/#http-cors-protocol (2026-11)."""

import re

from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.exchange import App
from gateway_http.settings import HttpSettings

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_EXPOSED = (
    "x-request-id, x-trunkline-provider, x-trunkline-attempts, x-trunkline-chaos, x-trunkline-replayed, x-should-retry, "
    "Retry-After, retry-after-ms, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
_LONGEST_CACHE_S = "600"
_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")
"""Names of headers. Others are not said back: a line break among them would begin a header of our own."""


def add_cors(app: App, settings: HttpSettings) -> None:
    """Answers preflights, and adds the headers that let the configured origins read answers."""
    anyone = "*" in settings.cors_origins

    def allowed(request: Request) -> str | None:
        origin: str | None = request.headers.get("origin")
        if origin is None:
            return None
        return "*" if anyone else origin if origin in settings.cors_origins else None

    async def preflight(request: Request) -> HTTPResponse | None:
        if request.method != "OPTIONS" or "access-control-request-method" not in request.headers:
            return None
        response = HTTPResponse(status=204)
        if allowed(request):
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            asked = request.headers.get("access-control-request-headers", "*")
            response.headers["Access-Control-Allow-Headers"] = asked if _NAMES.fullmatch(asked) else "*"
            response.headers["Access-Control-Max-Age"] = _LONGEST_CACHE_S
        return response

    async def headers(request: Request, response: HTTPResponse) -> HTTPResponse | None:
        if not anyone:
            response.headers["Vary"] = "Origin"
        origin = allowed(request)
        if origin is not None:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return None

    app.on_request(preflight)
    app.on_response(headers)  # type: ignore[no-untyped-call]
