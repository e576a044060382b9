"""A gateway's client: one channel, one attribute for each service of the contract."""

from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message

from trunkline_client.admin import Admin, AsyncAdmin
from trunkline_client.alerts import Alerts, AsyncAlerts
from trunkline_client.calls import Metadata, ask, call_defaults
from trunkline_client.channel import DEFAULT_TIMEOUT_S, Tls, open_channel, open_sync_channel
from trunkline_client.completions import AsyncCompletions, Completions
from trunkline_client.metrics import AsyncMetrics, Metrics
from trunkline_client.models import AsyncModels, Models

R = TypeVar("R", bound=Message)


class AsyncClient:
    """Speaks to a gateway from asyncio.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="a key", timeout_s=30) as client:
    ...     health = await client.metrics.get_health()
    >>> health.status
    'healthy'

    A channel of one's own, here one that tries nothing again, stays open until one closes it:

    >>> from trunkline_client import open_channel
    >>> async with open_channel("127.0.0.1:50051", retries=None) as channel:
    ...     client = AsyncClient(channel)
    ...     (await client.models.get_model("echo")).provider
    'echo'

    Attributes:
        completions: chat and text completions, embeddings, images.
        models: the models that can be asked for.
        admin: running the gateway.
        metrics: how the gateway and its providers do, and what is written down of completions.
        alerts: what needs an operator's attention.
    """

    def __init__(
        self,
        target_or_channel: str | grpc.aio.Channel,
        *,
        api_key: str | None = None,
        tls: Tls | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Opens a client, in the running loop.

        Args:
            target_or_channel: `host:port`, `unix:/path`, or a channel that is already there.
            api_key: sent with every call.
            tls: how to encrypt, for a target. None: not at all.
            timeout_s: from a call's start to its deadline, for calls that don't say; a year at most.

        Raises:
            ValueError: the target is none, the key has letters that cannot be sent (the newline of its file, say), or there
                is `tls` for a channel that is already there.
        """
        self._defaults = defaults = call_defaults(api_key, timeout_s)
        self._opened: grpc.aio.Channel | None = None
        if isinstance(target_or_channel, str):
            channel = self._opened = open_channel(target_or_channel, tls=tls)
        elif tls is None:
            channel = target_or_channel
        else:
            raise ValueError("tls belongs to a channel's opening, and this channel is open")
        self._channel = channel
        self.completions: AsyncCompletions = AsyncCompletions(channel, defaults)
        self.models: AsyncModels = AsyncModels(channel, defaults)
        self.admin: AsyncAdmin = AsyncAdmin(channel, defaults)
        self.metrics: AsyncMetrics = AsyncMetrics(channel, defaults)
        self.alerts: AsyncAlerts = AsyncAlerts(channel, defaults)

    async def call(
        self,
        method: str,
        request: Message,
        response_type: type[R],
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> R:
        """Calls a method by its name: `/trunkline.v1.MetricsService/GetHealth`. For callers that go by descriptors.

        Raises:
            TrunklineError: the call failed.
        """
        begin = self._channel.unary_unary(method, type(request).SerializeToString, response_type.FromString)
        response, _ = await ask(begin, request, self._defaults, timeout_s, metadata)
        return response

    async def close(self) -> None:
        """Ends all calls and closes the channel, if this client opened it.

        These calls and later ones raise `UnavailableError`.
        """
        if self._opened is not None:
            await self._opened.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class Client:
    """Speaks to a gateway from threads. As `AsyncClient`.

    >>> from trunkline_client import Client
    >>> with Client("127.0.0.1:50051", api_key="a key") as client:
    ...     client.metrics.get_health().status
    'healthy'
    """

    def __init__(
        self,
        target_or_channel: str | grpc.Channel,
        *,
        api_key: str | None = None,
        tls: Tls | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Opens a client. As `AsyncClient`."""
        defaults = call_defaults(api_key, timeout_s)
        self._opened: grpc.Channel | None = None
        if isinstance(target_or_channel, str):
            channel = self._opened = open_sync_channel(target_or_channel, tls=tls)
        elif tls is None:
            channel = target_or_channel
        else:
            raise ValueError("tls belongs to a channel's opening, and this channel is open")
        self.completions: Completions = Completions(channel, defaults)
        self.models: Models = Models(channel, defaults)
        self.admin: Admin = Admin(channel, defaults)
        self.metrics: Metrics = Metrics(channel, defaults)
        self.alerts: Alerts = Alerts(channel, defaults)

    def close(self) -> None:
        """Ends all calls and closes the channel, if this client opened it.

        These calls raise `CallCancelledError`, later ones `UnavailableError`.
        """
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
