"""One HTTP request on its way: its id, its key, its deadline and its body, as the RPC behind it wants them."""

import asyncio
import math
import random
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import SimpleNamespace
from typing import TypeVar

import orjson
from sanic import Request, Sanic
from sanic.config import Config
from sanic.response import HTTPResponse

from gateway_http.errors import KINDS, HttpError, Kind, invalid
from gateway_http.protocol import FrontHttp
from gateway_http.response import JsonResponse
from gateway_http.settings import HttpSettings
from trunkline.v1.metrics_service_pb2 import ListProvidersRequest, ListProvidersResponse
from trunkline_client import AsyncClient, CallFacts, TrunklineError
from trunkline_json import Misfit

T = TypeVar("T")
Json = dict[str, object]
App = Sanic[Config, SimpleNamespace]
Handler = Callable[..., Coroutine[object, object, HTTPResponse | None]]
"""What a route runs: a request, and the path's variables -> a response, or None where one was streamed."""

LARGE_BODY = 256 * 1024
"""With more bytes than that, a body is asked about before it is read, and is read beside the loop."""

MOST_OBJECTS = 1_000_000
"""How many objects a body may have, and how many lists: each takes time from all others, and no model reads that many."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")
_TIMEOUT_HEADER = "x-request-timeout"
_PACKAGE_TIMEOUT_HEADER = "x-stainless-read-timeout"
"""How long OpenAI's package waits for bytes: for all of an answer, but of a stream for each piece."""
_HEADERS = {
    "trunkline-provider": "x-trunkline-provider",
    "trunkline-attempts": "x-trunkline-attempts",
    "trunkline-chaos": "x-trunkline-chaos",
    "trunkline-replayed": "x-trunkline-replayed",
    "x-ratelimit-limit": "X-RateLimit-Limit",
    "x-ratelimit-remaining": "X-RateLimit-Remaining",
    "x-ratelimit-reset": "X-RateLimit-Reset",
}
"""What of an RPC's initial metadata is a header of the response, and how it is called there."""

_UNSUPPORTED_MEDIA_TYPE = Kind(415, "invalid_request_error", "unsupported_media_type")


class FrontRequest(Request[App, SimpleNamespace]):
    """A request that remembers its id and always has a path."""

    request_id = ""
    """Empty until somebody asked for it."""

    @property
    def path(self) -> str:
        """The path of its target, `/` where that has none (RFC 9110, section 4.2.3). Slashes at its end mean nothing."""
        return ((self._parsed_url.path or b"").rstrip(b"/") or b"/").decode()


def request_id_of(request: Request) -> str:
    """The request's id: the caller's where it is a plain one, else a new one; the same at every asking."""
    assert isinstance(request, FrontRequest)
    if not request.request_id:
        given = request.headers.get("x-request-id")
        if given is None or not _REQUEST_ID.fullmatch(given):
            given = f"req_{time.time_ns() // 1_000_000:012x}{random.getrandbits(48):012x}"  # as the server makes them
        request.request_id = given
    return request.request_id


class Exchange:
    """One request and what its RPC needs. Made first thing in a handler: its clock starts then.

    Args:
        request: Sanic's request, whose body has not been read.
        settings: the front's settings.

    Attributes:
        request_id: the request's id.
        metadata: what goes with the RPC: the request's id, the caller's address, the API key, the idempotency key,
            as often as it was sent, and the lane.
        timeout_s: how long the answer may take where it comes as a whole.
    """

    __slots__ = ("_request", "_settings", "_start", "metadata", "request_id", "timeout_s")

    def __init__(self, request: Request, settings: HttpSettings) -> None:
        self._start = time.monotonic()
        self._request = request
        self._settings = settings
        self.request_id = request_id_of(request)
        self.metadata = [("x-request-id", self.request_id), ("x-trunkline-origin", request.ip)]
        headers = request.headers
        for name, key in (("authorization", "authorization"), (settings.api_key_header, "x-api-key")):
            value = headers.get(name)
            if value is not None:
                # gRPC metadata is printable ASCII; a key that is not cannot be a key of ours.
                self.metadata.append((key, value if value.isascii() and value.isprintable() else "?"))
        for given in headers.getall("idempotency-key", ()):
            self.metadata.append(("idempotency-key", _plain(given)))
        if headers.get("x-trunkline-priority") == "batch":
            self.metadata.append(("x-trunkline-priority", "batch"))
        self.timeout_s = _timeout(headers, (_TIMEOUT_HEADER, _PACKAGE_TIMEOUT_HEADER), settings.timeout_s)

    @property
    def stream_timeout_s(self) -> float:
        """How long the answer may take where it comes as a stream."""
        return _timeout(self._request.headers, (_TIMEOUT_HEADER,), self._settings.timeout_s)

    async def json(self, client: AsyncClient, optional: bool = False) -> Json:
        """The body as a JSON object; see `read`."""
        return await self.read(client, _whole, optional)

    async def read(self, client: AsyncClient, understand: Callable[[Json], T], optional: bool = False) -> T:
        """Reads the body, a JSON object, and gives what it means.

        A large one is not read before the server knows the caller, and then beside the loop.

        Args:
            client: asks whether the server knows the caller.
            understand: what a body means; called in another thread for a large one.
            optional: whether the body may be left out; it is an empty object then.

        Raises:
            HttpError: the body is no JSON object, its headers say that it is something else, or it has too many objects
                or lists.
            PayloadTooLarge: it is larger than the settings allow.
            TrunklineError: it is large, and the server does not know the caller.
        """
        request = self._request
        content_type = request.headers.get("content-type", "")
        if content_type and "json" not in content_type.lower():
            raise HttpError(_UNSUPPORTED_MEDIA_TYPE, "The body must be JSON, with `Content-Type: application/json`.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError(_UNSUPPORTED_MEDIA_TYPE, "The body must not be compressed: send it without `Content-Encoding`.")
        http: FrontHttp = request.stream  # type: ignore[assignment]
        if http.body_may_exceed(LARGE_BODY):
            await self._introduce(client, http)
        text = await http.body(self._settings.max_body_bytes)
        if optional and not text:
            return understand({})
        if len(text) <= LARGE_BODY:
            return understand(_object(text))
        if max(text.count(b"{"), text.count(b"[")) > MOST_OBJECTS:
            raise HttpError(KINDS["body_too_large"], f"The body has more than {MOST_OBJECTS} objects or lists.")
        return await asyncio.to_thread(lambda: understand(_object(text)))

    async def _introduce(self, client: AsyncClient, http: FrontHttp) -> None:
        """Finds out whether the server knows the caller, by a call that costs it nothing and needs little permission.

        Whether the caller may do what it wants is for the call itself to say.
        """
        try:
            await client.call(
                "/trunkline.v1.MetricsService/ListProviders",
                ListProvidersRequest(page_size=1),
                ListProvidersResponse,
                timeout_s=self.timeout_s,
                metadata=self.metadata,
            )
        except TrunklineError as error:
            if error.reason != "insufficient_permissions":
                http.leave_body()
                raise

    def answer(self, body: bytes, facts: CallFacts) -> HTTPResponse:
        """The response of an RPC that answered: its JSON object with `_proxy_info`, and the headers that tell who did."""
        return JsonResponse(with_proxy_info(body, self.proxy_info(facts)), self.headers(facts))

    def headers(self, facts: CallFacts) -> dict[str, str]:
        """The headers of a response of an RPC that answered: what its metadata tells and a caller should know."""
        headers = {"x-request-id": self.request_id}
        for key, value in facts.metadata:
            name = _HEADERS.get(key)
            if name is not None:
                headers[name] = value  # type: ignore[assignment]
        return headers

    def proxy_info(self, facts: CallFacts) -> bytes:
        """Who answered, at which attempt, and after how many seconds, as JSON text."""
        info: Json = {
            "provider": facts.provider,
            "attempt_number": facts.attempts,
            "response_time": round(time.monotonic() - self._start, 6),
            "request_id": self.request_id,
        }
        if chaos := facts.chaos:
            info["chaos"] = chaos
        if (recovered_at := facts.recovered_at) is not None:
            info["recovered_at"] = recovered_at
        return orjson.dumps(info)


def _object(text: bytes) -> Json:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not valid JSON: {_fault(error)}.") from None
    if type(body) is not dict:
        raise invalid("The body must be a JSON object.")
    return body


def _whole(body: Json) -> Json:
    return body


def with_proxy_info(text: bytes, info: bytes) -> bytes:
    """A JSON object's text with `_proxy_info` as one key more, without reading it."""
    return b'%b,"_proxy_info":%b}' % (text.rstrip()[:-1], info)


def pop_stream(body: Json) -> bool:
    """Takes `stream` out of a body.

    Raises:
        HttpError: it is neither true nor false.
    """
    stream = body.pop("stream", None)
    if stream is not None and type(stream) is not bool:
        raise invalid("`stream` must be true or false.", "stream")
    return bool(stream)


def streamed_or_not(parse: Callable[[object, bool], T]) -> Callable[[Json], tuple[bool, T]]:
    """What a body means to an operation that may be streamed: whether it is to be, and the rest as `fitting` gives it."""

    def understand(body: Json) -> tuple[bool, T]:
        streamed = pop_stream(body)
        return streamed, fitting(parse, body)

    return understand


def fitting(parse: Callable[[object, bool], T], body: Json) -> T:
    """The body as the contract has it.

    Raises:
        HttpError: a part of the body has the wrong type.
    """
    try:
        return parse(body, True)
    except Misfit as misfit:
        raise invalid(f"`{misfit.path}` must be {misfit.expected}.", misfit.path) from None


def _plain(given: str) -> str:
    """An idempotency key as metadata. What cannot be one goes out empty, for the server to refuse."""
    return given if len(given) < 256 and given.isascii() and given.isprintable() else ""


def _timeout(headers: Mapping[str, str], names: Iterable[str], default_s: float) -> float:
    """How long the caller waits: what it says in the first of the headers that holds a time, or the default."""
    for name in names:
        said = headers.get(name)
        if said is not None:
            try:
                seconds = float(said)
            except ValueError:
                continue
            if math.isfinite(seconds) and seconds > 0:
                return min(seconds, 86_400.0)
    return default_s


def _fault(error: orjson.JSONDecodeError) -> str:
    """What is wrong, without a word of the body itself."""
    return f"{error.msg} at line {error.lineno}, column {error.colno}"
