"""The wiring of the front: routes, the error handler, CORS."""

import itertools
from collections.abc import Callable, Mapping

import structlog
from sanic import Request, Sanic
from sanic.exceptions import (
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RequestCancelled,
    RequestTimeout,
    SanicException,
)
from sanic.handlers import ErrorHandler
from sanic.response import HTTPResponse

from gateway_http.cors import add_cors
from gateway_http.errors import KINDS, TOO_LARGE, HttpError, Kind, from_client, out_of_reach
from gateway_http.exchange import App, FrontRequest, request_id_of
from gateway_http.response import JsonResponse
from gateway_http.settings import HttpSettings
from gateway_http.surfaces.completion_requests import add_completion_requests
from gateway_http.surfaces.openai.chat import chat_completions
from gateway_http.surfaces.openai.completions import completions
from gateway_http.surfaces.openai.embeddings import embeddings
from gateway_http.surfaces.openai.explain import explainable
from gateway_http.surfaces.openai.images import image_generations
from gateway_http.surfaces.openai.models import get_model, list_models
from gateway_http.surfaces.openai.videos import video_generations
from gateway_http.surfaces.prometheus import add_metrics
from gateway_http.transcoding.routes import add_routes, routes
from gateway_http.views import VIEWS
from trunkline.v1.models_service_pb2 import Operation
from trunkline_client import AsyncClient, TrunklineError

_COMPLETIONS = (
    ("/v1/chat/completions", "chat", chat_completions, Operation.OPERATION_CHAT),
    ("/v1/completions", "completions", completions, Operation.OPERATION_TEXT),
    ("/v1/embeddings", "embeddings", embeddings, Operation.OPERATION_EMBEDDINGS),
    ("/v1/images/generations", "images", image_generations, Operation.OPERATION_IMAGES),
    ("/v1/videos/generations", "videos", video_generations, Operation.OPERATION_VIDEOS),
)
_names = itertools.count(1)
_INVALID = "invalid_request_error"


def create_app(client: Callable[[], AsyncClient], settings: HttpSettings) -> App:
    """Builds the front.

    Args:
        client: gives the client of the server behind it; asked at every request.
        settings: the front's settings.
    """
    app = _bare_app(settings)
    for path, name, build, operation in _COMPLETIONS:
        handler = explainable(build(client, settings), operation, client, settings)
        app.add_route(handler, path, methods=["POST"], name=name, stream=True, error_format="json")
    app.add_route(list_models(client, settings), "/v1/models", methods=["GET"], name="models", error_format="json")
    app.add_route(get_model(client, settings), "/v1/models/<model:path>", methods=["GET"], name="model", error_format="json")
    add_routes(app, client, settings, VIEWS, tuple(routes()))
    add_metrics(app, client, settings)
    add_completion_requests(app, client, settings)
    if settings.cors_origins:
        add_cors(app, settings)
    return app


def create_metrics_app(client: Callable[[], AsyncClient], settings: HttpSettings) -> App:
    """Builds the front of the metrics listener, which probes and scrapers use: health and metrics."""
    app = _bare_app(settings)
    add_routes(app, client, settings, VIEWS, [route for route in routes() if route.path == "/health"])
    add_metrics(app, client, settings)
    return app


def _bare_app(settings: HttpSettings) -> App:
    app: App = Sanic(
        f"trunkline-{next(_names)}", configure_logging=False, error_handler=_Errors(), request_class=FrontRequest
    )
    app.config.update(
        ACCESS_LOG=False,
        MOTD=False,
        REQUEST_MAX_SIZE=settings.max_body_bytes,
        REQUEST_MAX_HEADER_SIZE=16_384,
        REQUEST_TIMEOUT=settings.request_timeout_s,
        RESPONSE_TIMEOUT=86_400,
        KEEP_ALIVE_TIMEOUT=75,
        GRACEFUL_TCP_CLOSE_TIMEOUT=settings.timeout_s,  # what is left of an answer may still be on its way
        FALLBACK_ERROR_FORMAT="json",
    )
    return app


class _Errors(ErrorHandler):
    """Turns every failure into OpenAI's error body."""

    def default(self, request: Request, exception: Exception) -> HTTPResponse:
        error = _http_error(exception)
        request_id = request_id_of(request) if request is not None else ""
        if error.kind.status == 500 and not isinstance(exception, TrunklineError):  # the server has logged its own
            structlog.get_logger("trunkline.http").error("internal_error", request_id=request_id, exc_info=exception)
        if isinstance(exception, TrunklineError) and out_of_reach(exception):
            log = structlog.get_logger("trunkline.http")
            log.warning("core_out_of_reach", request_id=request_id, error=exception.message)
        headers = {"x-request-id": request_id, **error.headers(), **_allowed(exception)}
        return JsonResponse(error.body(request_id), headers, error.kind.status)

    @staticmethod
    def log(request: Request, exception: Exception) -> None:
        """Sanic's own log of exceptions; `default` has logged what is worth it."""


def _allowed(exception: Exception) -> Mapping[str, str]:
    """The methods that a path takes, where the request's was another one."""
    return exception.headers if isinstance(exception, MethodNotAllowed) else {}


def _http_error(exception: Exception) -> HttpError:
    match exception:
        case HttpError():
            return exception
        case TrunklineError():
            return from_client(exception)
        case NotFound():
            return HttpError(Kind(404, _INVALID, "not_found"), "There is no such path.")
        case MethodNotAllowed():
            return HttpError(Kind(405, _INVALID, "method_not_allowed"), "This path does not take this method.")
        case PayloadTooLarge():
            return HttpError(KINDS["body_too_large"], TOO_LARGE)
        case RequestTimeout():
            return HttpError(Kind(408, _INVALID, "request_timeout"), "The request took too long to arrive.")
        case RequestCancelled():
            return HttpError(KINDS["cancelled"], "The caller left.")
        case SanicException() if exception.status_code < 500:
            return HttpError(Kind(exception.status_code, _INVALID, "invalid_request"), "The request is not valid HTTP.")
        case _:
            return HttpError(KINDS["internal"], "The gateway failed to handle this request; its log says more.")
