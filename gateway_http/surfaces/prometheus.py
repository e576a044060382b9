"""`GET /metrics/prometheus`, and `GET /metrics` for whoever scrapes: the server's metrics as Prometheus reads them.

Source of the formats: https://prometheus.io/docs/instrumenting/content_negotiation (2026-11).
"""

from collections.abc import Callable

from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import HttpError, Kind
from gateway_http.exchange import App, Exchange, Handler
from gateway_http.response import FrontResponse
from gateway_http.settings import HttpSettings
from trunkline_client import AsyncClient

_OPENMETRICS = "application/openmetrics-text"
_SCRAPERS = frozenset({"text/plain", _OPENMETRICS})
_NOT_ACCEPTABLE = Kind(406, "invalid_request_error", "not_acceptable")


def add_metrics(app: App, client: Callable[[], AsyncClient], settings: HttpSettings) -> None:
    """Serves both paths."""
    for path, name, text_alone in (("/metrics", "metrics", False), ("/metrics/prometheus", "metrics_prometheus", True)):
        app.add_route(_metrics(client, settings, text_alone), path, methods=["GET"], name=name, error_format="json")


def _metrics(client: Callable[[], AsyncClient], settings: HttpSettings, text_alone: bool) -> Handler:
    """The handler of a path; of one that does not have text alone, only scrapers get it."""

    async def handler(request: Request) -> HTTPResponse:
        exchange = Exchange(request, settings)
        accepted = _media_types(request.headers.get("accept", ""))
        if not text_alone and (request.args or not accepted & _SCRAPERS):
            message = (
                "This gateway has metrics as Prometheus' text alone: ask `/metrics/prometheus`, or accept `text/plain`."
            )
            raise HttpError(_NOT_ACCEPTABLE, message)
        told = await client().metrics.export_prometheus(
            openmetrics=_OPENMETRICS in accepted, timeout_s=exchange.timeout_s, metadata=exchange.metadata
        )
        return FrontResponse(told.text.encode(), told.content_type, {"x-request-id": exchange.request_id})

    return handler


def _media_types(accept: str) -> set[str]:
    """What a caller takes; one that it gives no weight is none."""
    given = (each.partition(";") for each in accept.lower().split(","))
    return {name.strip() for name, _, rest in given if "q=0" not in (part.strip() for part in rest.split(";"))}
