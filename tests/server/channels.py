"""A service whose two methods a test scripts, behind every kind of channel there is.

Its handlers go through `server.interceptors.chain.Registry`, as all do; the hosts are the in-process channel and a gRPC
server on TCP, on a Unix socket or behind TLS.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, cast

import grpc
import trustme
from google.protobuf.wrappers_pb2 import BytesValue

from server.call import Call
from server.inprocess.channel import InProcessChannel
from server.interceptors.chain import Handlers, Host, Interceptor, Registry
from server.interceptors.grpc_host import GrpcHost

Kind: TypeAlias = Literal["in process", "tcp", "unix socket", "tls"]
Unary: TypeAlias = Callable[[BytesValue, Call], Awaitable[BytesValue]]
Stream: TypeAlias = Callable[[BytesValue, Call], AsyncGenerator[BytesValue, None]]
KINDS: tuple[Kind, ...] = ("in process", "tcp", "unix socket", "tls")
SERVICE = "tests.Scripted"
UNARY, STREAM = f"/{SERVICE}/Unary", f"/{SERVICE}/Stream"


class RunningCall(Protocol):
    """What both kinds of calls are to their caller."""

    def cancel(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def done(self) -> bool: ...
    def time_remaining(self) -> float | None: ...
    def add_done_callback(self, callback: Callable[[object], None]) -> None: ...
    async def initial_metadata(self) -> grpc.aio.Metadata: ...
    async def trailing_metadata(self) -> grpc.aio.Metadata: ...
    async def code(self) -> grpc.StatusCode: ...
    async def details(self) -> str: ...


class Read(Protocol):
    """A message, or `grpc.aio.EOF`."""

    value: bytes


class UnaryCall(RunningCall, Protocol):
    def __await__(self) -> Generator[object, None, BytesValue]: ...


class StreamCall(RunningCall, Protocol):
    def __aiter__(self) -> AsyncIterator[BytesValue]: ...
    async def read(self) -> Read: ...


async def _echo(request: BytesValue, call: Call) -> BytesValue:
    return request


async def _count(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
    for number in range(3):
        yield BytesValue(value=b"%d" % number)


@dataclass(slots=True)
class Scripted:
    """A host that serves the scripted methods, and a channel to it.

    Attributes:
        kind: which.
        channel: the channel.
        stop: stops the host, with a grace in seconds.
        log: what the interceptors and the handlers noted, in order.
        unary: does the work of `Unary`; answers with the request unless a test says otherwise.
        stream: does the work of `Stream`; counts to three.
        interceptors: those that go first, before the ones that only note; read when a call begins.
    """

    kind: Kind
    channel: grpc.aio.Channel
    stop: Callable[[float | None], Awaitable[None]]
    log: list[str]
    unary: Unary = _echo
    stream: Stream = _count
    interceptors: list[Interceptor] = field(default_factory=list)

    def call(
        self,
        value: bytes = b"",
        timeout: float | None = None,
        metadata: Sequence[tuple[str, str | bytes]] | grpc.aio.Metadata | None = None,
        method: str = UNARY,
    ) -> UnaryCall:
        """Begins a call of `Unary`."""
        codecs = BytesValue.SerializeToString, BytesValue.FromString
        begin = self.channel.unary_unary(method, *codecs)
        return cast(UnaryCall, begin(BytesValue(value=value), timeout=timeout, metadata=cast(grpc.aio.Metadata, metadata)))

    def read(self, value: bytes = b"", timeout: float | None = None, method: str = STREAM) -> StreamCall:
        """Begins a call of `Stream`."""
        codecs = BytesValue.SerializeToString, BytesValue.FromString
        begin = self.channel.unary_stream(method, *codecs)
        return cast(StreamCall, begin(BytesValue(value=value), timeout=timeout))


@asynccontextmanager
async def scripted(kind: Kind, folder: Path) -> AsyncIterator[Scripted]:
    """Serves the scripted methods, and opens a channel to them."""
    log: list[str] = []
    if kind == "in process":
        channel = InProcessChannel()
        async with channel:
            served = Scripted(kind, cast(grpc.aio.Channel, channel), channel.close, log)
            _register(served, channel)
            yield served
        return
    server = grpc.aio.server()
    target, credentials = _listen(server, kind, folder)
    options = (("grpc.use_local_subchannel_pool", 1),)
    wire = (
        grpc.aio.insecure_channel(target, options)
        if credentials is None
        else grpc.aio.secure_channel(target, credentials, options)
    )
    async with wire:
        served = Scripted(kind, wire, server.stop, log)
        _register(served, GrpcHost(server))
        await server.start()
        yield served
        await server.stop(0)


def _listen(server: grpc.aio.Server, kind: Kind, folder: Path) -> tuple[str, grpc.ChannelCredentials | None]:
    if kind == "unix socket":
        target = f"unix:{folder / 'scripted.sock'}"
        server.add_insecure_port(target)
        return target, None
    if kind == "tcp":
        return f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", None
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)]))
    return f"127.0.0.1:{port}", grpc.ssl_channel_credentials(authority.cert_pem.bytes())


def _register(served: Scripted, host: Host) -> None:
    async def unary(request: BytesValue, call: Call) -> BytesValue:
        return await served.unary(request, call)

    async def stream(request: BytesValue, call: Call) -> AsyncGenerator[BytesValue, None]:
        messages = served.stream(request, call)
        try:
            async for message in messages:
                yield message
        finally:
            await messages.aclose()

    codecs = BytesValue.FromString, BytesValue.SerializeToString
    registry = Registry((_First(served), _Noting("outer", served.log), _Noting("inner", served.log)), (host,))
    registry.add_registered_method_handlers(
        SERVICE,
        cast(
            Handlers,
            {
                "Unary": grpc.unary_unary_rpc_method_handler(unary, *codecs),  # type: ignore[arg-type]
                "Stream": grpc.unary_stream_rpc_method_handler(stream, *codecs),  # type: ignore[arg-type]
            },
        ),
    )


class _Noting:
    """An interceptor that notes when it is entered and how it is left; leaving early has two forms, which are one here."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name = name
        self._log = log

    def enter(self, call: Call) -> None:
        self._log.append(f"{self._name} enters {call.method} of {call.metadata.get('x-from', 'nobody')}")

    def leave(self, call: Call, error: BaseException | None) -> None:
        match error:
            case None:
                how = "leaves"
            case asyncio.CancelledError() | GeneratorExit():
                how = "is cancelled"
            case _:
                how = f"sees {type(error).__name__}"
        self._log.append(f"{self._name} {how}")


class _First:
    """The interceptor that a test chose, else one that notes."""

    def __init__(self, served: Scripted) -> None:
        self._served = served
        self._noting = _Noting("first", served.log)

    def enter(self, call: Call) -> Awaitable[None] | None:
        return self._chosen().enter(call)

    def leave(self, call: Call, error: BaseException | None) -> Awaitable[None] | None:
        return self._chosen().leave(call, error)

    def _chosen(self) -> Interceptor:
        return self._served.interceptors[0] if self._served.interceptors else self._noting
