"""The client library of a trunkline gateway, for asyncio (`AsyncClient`) and for threads (`Client`)."""

from trunkline_client.calls import Answer, CallFacts, Metadata
from trunkline_client.channel import Retries, Tls, open_channel, open_sync_channel
from trunkline_client.client import AsyncClient, Client
from trunkline_client.errors import (
    AuthenticationError,
    CallCancelledError,
    DeadlineExceededError,
    FieldViolation,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitedError,
    TrunklineError,
    UnavailableError,
    UnsupportedError,
    from_rpc_error,
)
from trunkline_client.streams import ChatStream, MessageStream, SyncChatStream, SyncTextStream, TextStream

__all__ = [
    "Answer",
    "AsyncClient",
    "AuthenticationError",
    "CallCancelledError",
    "CallFacts",
    "ChatStream",
    "Client",
    "DeadlineExceededError",
    "FieldViolation",
    "InternalError",
    "InvalidRequestError",
    "MessageStream",
    "Metadata",
    "NotFoundError",
    "PermissionDeniedError",
    "ProviderError",
    "RateLimitedError",
    "Retries",
    "SyncChatStream",
    "SyncTextStream",
    "TextStream",
    "Tls",
    "TrunklineError",
    "UnavailableError",
    "UnsupportedError",
    "from_rpc_error",
    "open_channel",
    "open_sync_channel",
]
