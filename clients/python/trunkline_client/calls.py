"""One call: what goes with it, what comes back beside the answer, and the error it may end with.

Every sub-client makes its calls through here, so that deadlines, keys and errors are the same everywhere.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypedDict, TypeVar

import grpc
from google.protobuf.message import Message

from trunkline_client.errors import UnavailableError, from_rpc_error

R = TypeVar("R")
M = TypeVar("M", bound=Message)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]
"""What travels beside a request: keys in lower case, each with a value."""

Facts: TypeAlias = tuple[tuple[str, str | bytes], ...]
"""What came beside an answer, likewise."""

_KEYS = frozenset({"authorization", "x-api-key"})
_LONGEST_S = 365 * 86_400.0
"""With far longer timeouts gRPC's clock runs over, and the call ends at once."""


class CallFacts:
    """What the gateway told of a call beside its answer. `metadata` has all of it."""

    __slots__ = ()
    metadata: Facts

    @property
    def provider(self) -> str:
        """The name of the provider that answered; empty where the gateway did not say."""
        return self._told("trunkline-provider")

    @property
    def attempts(self) -> int:
        """How many attempts the gateway made, the successful one included; 0 where it did not say."""
        told = self._told("trunkline-attempts")
        return int(told) if told.isdecimal() else 0

    @property
    def chaos(self) -> str:
        """The trouble that the gateway made on purpose, where it did; else empty."""
        return self._told("trunkline-chaos")

    @property
    def recovered_at(self) -> int | None:
        """After how many characters another attempt went on with a stream that broke; None: it did not break.

        Told at the end of a stream.
        """
        told = self._told("trunkline-recovered-at")
        return int(told) if told.isdecimal() else None

    @property
    def request_id(self) -> str:
        """What to look for in the gateway's log."""
        return self._told("x-request-id")

    def _told(self, name: str) -> str:
        for key, value in self.metadata:
            if key == name:
                return value if isinstance(value, str) else ""
        return ""


@dataclass(frozen=True, slots=True)
class Answer(CallFacts, Generic[T_co]):
    """What was asked for, and what the gateway told of the call.

    Attributes:
        value: what was asked for.
        metadata: the call's initial metadata, pairs of key and value.
    """

    value: T_co
    metadata: Facts


@dataclass(frozen=True, slots=True)
class CallDefaults:
    """What goes with every call that does not say otherwise.

    Attributes:
        metadata: sent with every call; the key among it only where the call brings none itself.
        timeout_s: from the call's start to its deadline.
    """

    metadata: tuple[tuple[str, str | bytes], ...]
    timeout_s: float

    def timeout(self, timeout_s: float | None) -> float:
        """The call's timeout, in seconds; a year at most."""
        return min(self.timeout_s if timeout_s is None else timeout_s, _LONGEST_S)

    def beside(self, metadata: Metadata) -> Metadata:
        """The call's metadata."""
        if not self.metadata or not metadata:
            return metadata or self.metadata
        if any(key in _KEYS for key, _ in metadata):
            return [*(pair for pair in self.metadata if pair[0] not in _KEYS), *metadata]
        return [*self.metadata, *metadata]


def call_defaults(api_key: str | None, timeout_s: float) -> CallDefaults:
    """The defaults of a client that has this key, or none.

    Raises:
        ValueError: the key has letters that cannot be sent.
    """
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise ValueError("a key has visible ASCII characters only")
    return CallDefaults((("authorization", f"Bearer {api_key}"),) if api_key else (), timeout_s)


def begin(
    method: Callable[..., T], request: Message, defaults: CallDefaults, timeout_s: float | None, metadata: Metadata
) -> T:
    """Begins a call.

    Raises:
        UnavailableError: the channel was closed.
    """
    try:
        return method(request, timeout=defaults.timeout(timeout_s), metadata=tuple(defaults.beside(metadata)))
    except (grpc.aio.UsageError, ValueError) as error:  # gRPC's, for asyncio and for threads
        if "closed" not in str(error):
            raise
        raise _closed() from error


async def ask(
    method: grpc.aio.UnaryUnaryMultiCallable[M, R],
    request: M,
    defaults: CallDefaults,
    timeout_s: float | None,
    metadata: Metadata,
) -> tuple[R, Facts]:
    """Makes a call with one answer.

    Returns:
        The response and the initial metadata.

    Raises:
        TrunklineError: the call failed.
    """
    call = begin(method, request, defaults, timeout_s, metadata)
    try:
        return await call, tuple(await call.initial_metadata())
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    except asyncio.CancelledError:
        raise_if_closed()
        raise


def raise_if_closed() -> None:
    """Tells a call that its channel's closing cancelled, as gRPC has it, from a task that somebody cancelled.

    Raises:
        UnavailableError: it was the channel.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        raise _closed() from None


def _closed() -> UnavailableError:
    return UnavailableError("The channel was closed.", code=grpc.StatusCode.UNAVAILABLE)


def ask_sync(
    method: "grpc.UnaryUnaryMultiCallable[M, R]",
    request: M,
    defaults: CallDefaults,
    timeout_s: float | None,
    metadata: Metadata,
) -> tuple[R, Facts]:
    """Makes a call with one answer. As `ask`."""
    try:
        response, call = begin(method.with_call, request, defaults, timeout_s, metadata)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    return response, tuple(call.initial_metadata())


class Page(Protocol):
    """A response that may have a next one."""

    next_page_token: str


P = TypeVar("P", bound=Page)


class Options(TypedDict, total=False):
    """How a call is made.

    Attributes:
        timeout_s: from the call to its deadline, of each page where there are pages. None: the client's.
        metadata: sent along, in addition to the client's.
    """

    timeout_s: float | None
    metadata: Metadata


class AsyncCalls:
    """Calls of one service. Each takes `Options`."""

    def __init__(self, defaults: CallDefaults) -> None:
        self._defaults = defaults

    async def _ask(self, method: grpc.aio.UnaryUnaryMultiCallable[M, R], request: M, options: Options) -> R:
        response, _ = await ask(method, request, self._defaults, *_how(**options))
        return response

    async def _all(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[M, P],
        request: M,
        of: Callable[[P], Iterable[T]],
        options: Options,
    ) -> AsyncIterator[T]:
        """What `of` finds in page after page, each got when it is needed."""
        how, token = _how(**options), ""
        while True:
            page, _ = await ask(method, _at(request, token), self._defaults, *how)
            for each in of(page):
                yield each
            token = page.next_page_token
            if not token:
                return


class Calls:
    """Calls of one service, from threads. Each takes `Options`."""

    def __init__(self, defaults: CallDefaults) -> None:
        self._defaults = defaults

    def _ask(self, method: "grpc.UnaryUnaryMultiCallable[M, R]", request: M, options: Options) -> R:
        response, _ = ask_sync(method, request, self._defaults, *_how(**options))
        return response

    def _all(
        self,
        method: "grpc.UnaryUnaryMultiCallable[M, P]",
        request: M,
        of: Callable[[P], Iterable[T]],
        options: Options,
    ) -> Iterator[T]:
        """What `of` finds in page after page, each got when it is needed."""
        how, token = _how(**options), ""
        while True:
            page, _ = ask_sync(method, _at(request, token), self._defaults, *how)
            yield from of(page)
            token = page.next_page_token
            if not token:
                return


def _how(timeout_s: float | None = None, metadata: Metadata = ()) -> tuple[float | None, Metadata]:
    return timeout_s, metadata


def _at(request: M, page_token: str) -> M:
    """The request for one of its pages."""
    paged = type(request)()
    paged.CopyFrom(request)
    paged.MergeFrom(type(request)(page_token=page_token))
    return paged
