"""`google.api.http` annotations -> routes: a new RPC with an annotation is a new route, with no handler written.

Source of the rules: https://google.aip.dev/127 and google/api/http.proto (2026-11).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import orjson
from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from sanic import Request
from sanic.response import HTTPResponse

from gateway_http.errors import invalid
from gateway_http.exchange import App, Exchange, Handler
from gateway_http.response import JsonResponse
from gateway_http.settings import HttpSettings
from gateway_http.transcoding.json_rules import Json, JsonFaultError, field_json, from_text, merge, to_json
from gateway_http.transcoding.templates import Template, template
from trunkline.v1 import admin_service_pb2, alerts_service_pb2, metrics_service_pb2, models_service_pb2
from trunkline_client import AsyncClient

_FILES = tuple(
    cast(FileDescriptor, module.DESCRIPTOR)
    for module in (admin_service_pb2, alerts_service_pb2, metrics_service_pb2, models_service_pb2)
)

_MASK = "update_mask"
"""Which fields an update sets. A PATCH that does not say so sets what its body has."""

View = Callable[[Message], Json]
"""A message -> the JSON object that a document fixes for it."""


class Route(NamedTuple):
    """One binding of an RPC.

    Attributes:
        verb: GET, POST, PUT, PATCH or DELETE.
        template: its path.
        method: the RPC.
        rule: its annotation.
        name: what Sanic calls it.
    """

    verb: str
    template: Template
    method: MethodDescriptor
    rule: HttpRule
    name: str

    @property
    def path(self) -> str:
        """The path, as Sanic writes paths."""
        return self.template.path


def routes(files: Sequence[FileDescriptor] = _FILES) -> Iterator[Route]:
    """Every binding of every annotated RPC."""
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                if not method.GetOptions().HasExtension(annotations_pb2.http):
                    continue
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                for number, binding in enumerate((rule, *rule.additional_bindings)):
                    verb = cast(str, binding.WhichOneof("pattern"))
                    name = f"{method.full_name}_{number}".replace(".", "_")
                    yield Route(verb.upper(), template(getattr(binding, verb)), method, binding, name)


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
        # A body that nobody wants is read away before the handler; one that is wanted is read by it.
        app.add_route(
            handler,
            route.path,
            methods=[route.verb],
            name=route.name,
            stream=bool(route.rule.body),
            error_format="json",  # else Sanic reads the handler's source to guess it, at each start
        )


def _handler(route: Route, client: Callable[[], AsyncClient], settings: HttpSettings, view: View) -> Handler:
    method, rule = route.method, route.rule
    path = f"/{cast(Descriptor, method.containing_service).full_name}/{method.name}"
    request_type, response_type = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    answer_field = method.output_type.fields_by_name[rule.response_body] if rule.response_body else None
    optional = route.verb == "POST"  # what is changed or put in a place is not left out
    masked = route.verb == "PATCH" and rule.body not in ("", "*") and _MASK in method.input_type.fields_by_name

    async def handler(request: Request, **variables: str) -> HTTPResponse:
        exchange = Exchange(request, settings)
        body = await exchange.json(client(), optional) if rule.body else {}
        message = request_type()
        try:
            if rule.body in ("", "*"):
                merge(message, body)
            else:
                part = getattr(message, rule.body)
                part.SetInParent()
                merge(part, body)
            for name, texts in request.args.items():
                if rule.body == "*" or name in route.template.fields:
                    raise JsonFaultError(name, "left out of the query")
                _bind(message, name, texts)
            for name, text in route.template.values(variables).items():
                _bind(message, name, [text])
            if masked and not message.HasField(_MASK):
                cast(FieldMask, getattr(message, _MASK)).paths.extend(body)
        except JsonFaultError as fault:
            raise invalid(f"`{fault.path}` must be {fault.expected}.", fault.path) from None
        except RecursionError:
            raise invalid("The body is nested too deeply.") from None
        response = await client().call(
            path, message, response_type, timeout_s=exchange.timeout_s, metadata=exchange.metadata
        )
        return JsonResponse(orjson.dumps(_answer(response, answer_field, view)), {"x-request-id": exchange.request_id})

    return handler


def _answer(response: Message, field: FieldDescriptor | None, view: View) -> object:
    if field is None:
        return view(response)
    if field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated:
        return view(getattr(response, field.name))
    return field_json(response, field)


def _bind(message: Message, name: str, texts: Sequence[str]) -> None:
    """Sets a field, named by its path, from texts; of several, the last one counts where the field is not repeated.

    Raises:
        JsonFaultError: there is no such field, or the text does not fit it.
    """
    *outer, last = name.split(".")
    for step in outer:
        field = cast(Descriptor, message.DESCRIPTOR).fields_by_name.get(step)
        if field is None or field.type != FieldDescriptor.TYPE_MESSAGE or field.is_repeated:
            raise JsonFaultError(name, "the name of a field")
        message = getattr(message, step)
        message.SetInParent()
    field = cast(Descriptor, message.DESCRIPTOR).fields_by_name.get(last)
    value: object = texts[-1]
    if field is not None:
        value = [from_text(field, text) for text in texts] if field.is_repeated else from_text(field, texts[-1])
    merge(message, {last: value}, "".join(f"{step}." for step in outer))
