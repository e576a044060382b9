"""Opens channels to a gateway: targets, TLS, message sizes, keepalive and retries.

In comes a target; out goes a `grpc.aio.Channel` or a `grpc.Channel`. Knows nothing of keys, calls and deadlines.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

ChannelOptions: TypeAlias = Iterable[tuple[str, str | int]]
"""gRPC channel arguments, each a name and a value."""

DEFAULT_TIMEOUT_S = 600.0
"""The deadline of a call that names none, in seconds from its start."""

_ANY_SIZE = {"grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1}
"""How large a message may be is for the server to say, which is configured."""

_KEEPALIVE = {
    # A server counts pings less than five minutes apart on a silent connection as abuse, unless it was told otherwise.
    "grpc.keepalive_time_ms": 310_000,
    "grpc.keepalive_timeout_ms": 20_000,
}


@dataclass(frozen=True, slots=True)
class Tls:
    """How the two sides prove who they are; all of it PEM.

    Attributes:
        root_certificates: who may vouch for the server. None: those that gRPC brings along.
        private_key: the client's own key, where the server asks for a certificate.
        certificate_chain: the certificate that goes with it.
    """

    root_certificates: bytes | None = None
    private_key: bytes | None = field(default=None, repr=False)
    certificate_chain: bytes | None = None


@dataclass(frozen=True, slots=True)
class Retries:
    """How calls are tried again when the status is UNAVAILABLE, and never for any other.

    A stream is tried again only as long as the server has sent nothing of it. A server that answers with the trailer
    `grpc-retry-pushback-ms` decides itself when to come back, or with a negative value that the client must not.

    Attributes:
        max_attempts: tries together with the first one, 2 to 5.
        initial_backoff_s: about how long to wait before the second try, at least 0.01; each further wait is twice as long.
        max_backoff_s: the longest wait, at least 0.01.

    Raises:
        ValueError: a value out of its range.
    """

    max_attempts: int = 3
    initial_backoff_s: float = 0.1
    max_backoff_s: float = 2.0

    def __post_init__(self) -> None:
        if not 2 <= self.max_attempts <= 5:
            raise ValueError("max_attempts is 2 to 5")
        # gRPC loses a retry whose wait rounds to no milliseconds: the call hangs until its deadline.
        # Source: https://github.com/grpc/grpc/issues/41036 (2026-11)
        if min(self.initial_backoff_s, self.max_backoff_s) < 0.01:
            raise ValueError("a backoff is at least 0.01 s")


DEFAULT_RETRIES = Retries()


def open_channel(
    target: str, *, tls: Tls | None = None, retries: Retries | None = DEFAULT_RETRIES, options: ChannelOptions = ()
) -> grpc.aio.Channel:
    """Opens a channel for asyncio, in the running loop; it connects with the first call.

    Args:
        target: `host:port` or `unix:/path`, or any other name that gRPC resolves, such as `dns:///host:port`.
        tls: how to encrypt. None: not at all.
        retries: how to try again. None: not at all.
        options: channel arguments; they come before those that this function would set.

    Raises:
        ValueError: the target is none.
    """
    check_target(target)
    arguments = _arguments(retries, options)
    if tls is None:
        return grpc.aio.insecure_channel(target, options=arguments)
    return grpc.aio.secure_channel(target, _credentials(tls), options=arguments)


def open_sync_channel(
    target: str, *, tls: Tls | None = None, retries: Retries | None = DEFAULT_RETRIES, options: ChannelOptions = ()
) -> grpc.Channel:
    """Opens a channel for threads. As `open_channel`."""
    check_target(target)
    arguments = _arguments(retries, options)
    if tls is None:
        return grpc.insecure_channel(target, options=arguments)
    return grpc.secure_channel(target, _credentials(tls), options=arguments)


def check_target(target: str) -> None:
    """Raises ValueError for what people write instead of a target: a URL, or a host without its port."""
    if target.startswith(("http://", "https://")):
        raise ValueError(f"{target!r} is a URL; a target is written host:port or unix:/path")
    scheme, _, rest = target.partition(":")
    if scheme == "unix" and rest:
        return
    port = target.rpartition(":")[2]
    if not rest or ("/" not in rest and not (port.isdecimal() and int(port) < 1 << 16)):
        raise ValueError(f"{target!r} has no port; a target is written host:port or unix:/path")


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(tls.root_certificates, tls.private_key, tls.certificate_chain)


def _arguments(retries: Retries | None, options: ChannelOptions) -> list[tuple[str, str | int]]:
    arguments: dict[str, str | int] = {
        "grpc.enable_retries": 0 if retries is None else 1,
        **_ANY_SIZE,
        **_KEEPALIVE,
    }
    if retries is not None:
        arguments["grpc.service_config"] = json.dumps(_service_config(retries))
    arguments.update(options)
    return list(arguments.items())


def _service_config(retries: Retries) -> Mapping[str, object]:
    policy = {
        "maxAttempts": retries.max_attempts,
        "initialBackoff": f"{retries.initial_backoff_s:.3f}s",
        "maxBackoff": f"{retries.max_backoff_s:.3f}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    # When most calls fail, trying each of them again makes it worse: below half of the tokens nothing is tried again.
    throttling = {"maxTokens": 100, "tokenRatio": 0.1}
    return {"methodConfig": [{"name": [{}], "retryPolicy": policy}], "retryThrottling": throttling}
