"""Every kind of binding, served over HTTP in front of a server that says what it was asked."""

from collections.abc import AsyncIterator
from typing import cast

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway_http.app import create_metrics_app
from gateway_http.server import HttpServer
from gateway_http.settings import HttpSettings
from gateway_http.transcoding.json_rules import Json, to_json
from gateway_http.transcoding.routes import add_routes, routes
from gateway_http.transcoding.templates import template
from server.inprocess.channel import InProcessChannel
from tests.gateway_http.serving import PATIENCE_S, call
from tests.gateway_http.transcoding.contract import METHODS, PACKAGE, contract, new
from trunkline_client import AsyncClient


async def said(request: Message, context: object) -> Message:
    """Answers with what was asked."""
    book = cast(Message, request.book)  # type: ignore[attr-defined]
    return new("Response", seen=request, book=book, books=[book, book], count=2**53)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where the test's contract is served."""
    channel = InProcessChannel()
    handler = grpc.unary_unary_rpc_method_handler(said)
    channel.add_handlers(f"{PACKAGE}.ShelfService", dict.fromkeys(METHODS, handler))  # type: ignore[arg-type]
    client = AsyncClient(cast(grpc.aio.Channel, channel))
    settings = HttpSettings()
    app = create_metrics_app(lambda: client, settings)
    views = {f"{PACKAGE}.ShelfService.DeleteBook": lambda message: {"deleted": to_json(message)["count"]}}
    add_routes(app, lambda: client, settings, views, routes([contract()]))
    server = HttpServer(app)
    await server.start("127.0.0.1", 0)
    yield server.port
    await server.stop(PATIENCE_S)
    await channel.close()


def asked(**fields: object) -> Json:
    """A request as the server sees it."""
    return to_json(new("Request", **fields))


SEEN: dict[str, tuple[str, str, object, Json]] = {
    "nothing": ("GET", "/v1/books", None, asked()),
    "an integer": ("GET", "/v1/books?number=-3", None, asked(number=-3)),
    "an enum": ("GET", "/v1/books?genre=science_fiction", None, asked(genre=2)),
    "a bool": ("GET", "/v1/books?rare=true", None, asked(rare=True)),
    "a number": ("GET", "/v1/books?price=1.5e3", None, asked(price=1500)),
    "repeated": ("GET", "/v1/books?numbers=1&numbers=9007199254740993", None, asked(numbers=[1, 2**53 + 1])),
    "repeated enums": ("GET", "/v1/books?genres=novel&genres=science_fiction", None, asked(genres=[1, 2])),
    "the last of several": ("GET", "/v1/books?number=1&number=2", None, asked(number=2)),
    "a field within": ("GET", "/v1/books?book.title=a%20b&book.pages=1", None, asked(book={"title": "a b", "pages": 1})),
    "a time": ("GET", "/v1/books?since=1970-01-01T00:00:01Z", None, asked(since={"seconds": 1})),
    "a duration": ("GET", "/v1/books?within=1.5", None, asked(within={"seconds": 1, "nanos": 500_000_000})),
    "a path": ("GET", "/v1/shelves/1/books/2", None, asked(name="shelves/1/books/2")),
    "a path and a query": ("GET", "/v1/shelves/1?number=2", None, asked(name="shelves/1", number=2)),
    "another path": ("GET", "/v1/rooms/7/shelf", None, asked(number=7)),
    "a path with types": ("GET", "/v1/pages/12/novel", None, asked(number=12, genre=1)),
    "a path with slashes": ("GET", "/v1/files/a/b/c.txt", None, asked(name="a/b/c.txt")),
    "an escaped path": ("GET", "/v1/shelves/a%2Fb%20%C3%A9", None, asked(name="shelves/a/b é")),
    "a field as the body": (
        "POST",
        "/v1/shelves/1/books?number=3",
        {"title": "x"},
        asked(name="shelves/1", number=3, book={"title": "x"}),
    ),
    "an empty field as the body": ("POST", "/v1/shelves/1/books", {}, asked(name="shelves/1", book={})),
    "a path within the body": (
        "PATCH",
        "/v1/books/7",
        {"title": "x", "name": "books/8"},
        asked(book={"title": "x", "name": "books/7"}),
    ),
    "everything as the body": ("POST", "/v1/search", {"genre": "novel"}, asked(genre=1)),
    "a segment behind a variable": ("POST", "/v1/books/7/loans", {"number": 1}, asked(name="books/7", number=1)),
}


@pytest.mark.parametrize(("method", "path", "body", "seen"), SEEN.values(), ids=SEEN)
async def test_a_request_is_bound_as_its_annotation_says(
    port: int, method: str, path: str, body: object, seen: Json
) -> None:
    answer = await call(port, method, path, body)
    assert answer.status == 200, answer.body
    assert answer.json()["seen"] == seen


FAULTS: dict[str, tuple[str, str, object, str]] = {
    "unknown": ("GET", "/v1/books?colour=red", None, "colour"),
    "unknown within": ("GET", "/v1/books?book.colour=red", None, "book.colour"),
    "within what has no fields": ("GET", "/v1/books?number.x=1", None, "number.x"),
    "within what is repeated": ("GET", "/v1/books?book.appendices.title=x", None, "book.appendices.title"),
    "an integer": ("GET", "/v1/books?number=1.5", None, "number"),
    "an integer in other digits": ("GET", "/v1/books?number=%D9%A3", None, "number"),
    "an integer with underscores": ("GET", "/v1/books?number=1_0", None, "number"),
    "an integer with spaces": ("GET", "/v1/books?number=+1", None, "number"),
    "an endless integer": ("GET", f"/v1/books?number={'9' * 5000}", None, "number"),
    "one of several": ("GET", "/v1/books?numbers=1&numbers=x", None, "numbers[1]"),
    "an enum": ("GET", "/v1/books?genre=NOVEL", None, "genre"),
    "a bool": ("GET", "/v1/books?rare=1", None, "rare"),
    "a number": ("GET", "/v1/books?price=nan", None, "price"),
    "a message": ("GET", "/v1/books?book=x", None, "book"),
    "a time": ("GET", "/v1/books?since=yesterday", None, "since"),
    "a duration": ("GET", "/v1/books?within=1s", None, "within"),
    "a path's type": ("GET", "/v1/rooms/seven/shelf", None, "number"),
    "a path's enum": ("GET", "/v1/pages/1/opera", None, "genre"),
    "what the path has": ("GET", "/v1/shelves/1?name=shelves/2", None, "name"),
    "a query beside a whole body": ("POST", "/v1/search?number=1", {}, "number"),
    "a body": ("POST", "/v1/search", {"number": "1"}, "number"),
    "a named body": ("POST", "/v1/shelves/1/books", {"pages": "1"}, "pages"),
    "a body that is the message around": ("POST", "/v1/shelves/1/books", {"book": {}}, "book"),
}


@pytest.mark.parametrize(("method", "path", "body", "param"), FAULTS.values(), ids=FAULTS)
async def test_what_does_not_fit_is_refused_with_its_name(
    port: int, method: str, path: str, body: object, param: str
) -> None:
    answer = await call(port, method, path, body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_request", param)


async def test_a_body_nested_without_end_is_refused(port: int) -> None:
    body = b'{"sequel":' * 1000 + b"{}" + b"}" * 1000
    assert (await call(port, "POST", "/v1/shelves/1/books", body)).status == 400


async def test_a_body_that_is_no_json_is_refused(port: int) -> None:
    for body in (b" ", b"{", b"[]"):
        assert (await call(port, "POST", "/v1/search", body)).status == 400


async def test_the_body_of_a_post_may_be_left_out(port: int) -> None:
    left_out = await call(port, "POST", "/v1/search", b"")
    assert left_out.status == 200
    assert left_out.json() == (await call(port, "POST", "/v1/search", {})).json()


async def test_a_path_of_another_shape_is_not_found(port: int) -> None:
    for path in ("/v1/shelves/1/books/2/3", "/v1/shelves", "/v1/rooms/1", "/v1/books/7/lend"):
        assert (await call(port, "GET", path)).status == 404


async def test_a_part_of_the_answer_may_be_the_body(port: int) -> None:
    assert (await call(port, "GET", "/v1/peek?book.title=x")).json() == to_json(new("Book", title="x"))
    peeks = await call(port, "GET", "/v1/peeks?book.title=x")
    assert cast(object, peeks.json()) == [to_json(new("Book", title="x"))] * 2
    count = await call(port, "PUT", "/v1/count", {})
    assert cast(object, count.json()) == 2**53


async def test_a_view_writes_the_answer_where_there_is_one(port: int) -> None:
    assert (await call(port, "DELETE", "/v1/books/7")).json() == {"deleted": 2**53}


def test_a_template_with_a_verb_is_refused() -> None:
    for text in ("/v1/books:search", "/v1/{name=books/*}:lend"):
        with pytest.raises(ValueError, match="verb"):
            template(text)


def test_every_route_of_the_contract_has_a_name_of_its_own() -> None:
    names = [route.name for route in (*routes(), *routes([contract()]))]
    assert len(names) == len(set(names))


def test_messages_of_any_pool_can_be_made() -> None:
    descriptor = cast(Descriptor, contract().message_types_by_name["Book"])
    assert isinstance(new("Book"), GetMessageClass(descriptor))
