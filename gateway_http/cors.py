"""CORS as configured. Source: https://fetch.spec.whatwg.org/#http-cors-protocol (2026-11)."""

from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.exchange import App
from gateway_http.settings import HttpSettings

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_EXPOSED = (
    "x-request-id, x-trunkline-provider, x-trunkline-attempts, Retry-After, retry-after-ms, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
_LONGEST_CACHE_S = "600"


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
            response.headers["Access-Control-Allow-Headers"] = request.headers.get("access-control-request-headers", "*")
            response.headers["Access-Control-Max-Age"] = _LONGEST_CACHE_S
        return response

    async def headers(request: Request, response: HTTPResponse) -> HTTPResponse | None:
        origin = allowed(request)
        if origin is None:
            return None
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if origin != "*":
            response.headers["Vary"] = "Origin"
        return None

    app.on_request(preflight)
    app.on_response(headers)  # type: ignore[no-untyped-call]
