"""`google.api.http` annotations -> routes: a new RPC with an annotation is a new route, with no handler written.

Source of the rules: https://google.aip.dev/127 and google/api/http.proto (2026-11).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, cast

import orjson
from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from sanic import Request
from sanic.response import HTTPResponse
from trunkline.v1 import admin_service_pb2, alerts_service_pb2, metrics_service_pb2, models_service_pb2
from trunkline_client import AsyncClient

from gateway_http.errors import invalid
from gateway_http.exchange import App, Exchange, Handler
from gateway_http.settings import HttpSettings
from gateway_http.transcoding.json_rules import Json, JsonFaultError, from_text, merge, to_json

_FILES = tuple(
    cast(FileDescriptor, module.DESCRIPTOR)
    for module in (admin_service_pb2, alerts_service_pb2, metrics_service_pb2, models_service_pb2)
)
_VARIABLE = re.compile(r"\{([a-z_.]+)(?:=([^}]*))?\}")

View = Callable[[Message], Json]
"""A message -> the JSON object that a document fixes for it."""


class Route(NamedTuple):
    """One binding of an RPC.

    Attributes:
        verb: GET, POST, PUT, PATCH or DELETE.
        path: as Sanic writes paths.
        method: the RPC.
        rule: its annotation.
    """

    verb: str
    path: str
    method: MethodDescriptor
    rule: HttpRule


def routes() -> Iterator[Route]:
    """Every binding of every annotated RPC."""
    for file in _FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                if not method.GetOptions().HasExtension(annotations_pb2.http):
                    continue
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                for binding in (rule, *rule.additional_bindings):
                    verb = cast(str, binding.WhichOneof("pattern"))
                    yield Route(verb.upper(), _sanic_path(getattr(binding, verb)), method, binding)


def add_routes(
    app: App,
    client: Callable[[], AsyncClient],
    settings: HttpSettings,
    views: Mapping[str, View],
    served: Iterable[Route],
) -> None:
    """Serves routes.

    Args:
        app: where.
        client: gives the client to call with.
        settings: the front's settings.
        views: by the RPC's full name, what writes its answer where `to_json` does not.
        served: which of `routes()`.
    """
    for route in served:
        handler = _handler(route, client, settings, views.get(route.method.full_name, to_json))
        name = route.method.full_name.replace(".", "_")
        # A body that nobody wants is read away before the handler; one that is wanted is read by it.
        app.add_route(handler, route.path, methods=[route.verb], name=name, stream=bool(route.rule.body))


def _handler(route: Route, client: Callable[[], AsyncClient], settings: HttpSettings, view: View) -> Handler:
    method, rule = route.method, route.rule
    path = f"/{cast(Descriptor, method.containing_service).full_name}/{method.name}"
    request_type = cast(type[Message], method.input_type._concrete_class)  # type: ignore[attr-defined]
    response_type = cast(type[Message], method.output_type._concrete_class)  # type: ignore[attr-defined]

    async def handler(request: Request, **variables: str) -> HTTPResponse:
        exchange = Exchange(request, settings)
        message = request_type()
        try:
            if rule.body:
                body = await exchange.json()
                merge(message, body if rule.body == "*" else {rule.body: body})
            merge(message, _parameters(request, method.input_type))
            for name, value in variables.items():
                setattr(message, name, value)
        except JsonFaultError as fault:
            raise invalid(f"`{fault.path}` must be {fault.expected}.", fault.path) from None
        response = await client().call(
            path, message, response_type, timeout_s=exchange.timeout_s, metadata=exchange.metadata
        )
        resource = getattr(response, rule.response_body) if rule.response_body else response
        return HTTPResponse(
            body=orjson.dumps(view(resource)),
            content_type="application/json",
            headers={"x-request-id": exchange.request_id},
        )

    return handler


def _parameters(request: Request, descriptor: Descriptor) -> Json:
    """The query's parameters as JSON values; a parameter that no field has is left for `merge` to refuse."""
    fields = {field.name: field for field in descriptor.fields}
    values: Json = {}
    for name, texts in request.args.items():
        field = fields.get(name)
        if field is None:
            values[name] = texts[-1]
        elif field.is_repeated:
            values[name] = [from_text(field, text) for text in texts]
        else:
            values[name] = from_text(field, texts[-1])
    return values


def _sanic_path(template: str) -> str:
    """`/v1/{name=providers/*}/models` -> `/v1/<name:path>/models`; a variable that spans no `/` is a plain one."""

    def variable(match: re.Match[str]) -> str:
        name, pattern = match.group(1), match.group(2) or "*"
        return f"<{name}>" if pattern == "*" else f"<{name}:path>"

    return _VARIABLE.sub(variable, template)
