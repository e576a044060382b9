"""What the front is told: frozen, read once by whoever composes it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The front's settings.

    Attributes:
        api_key_header: where a key may be, beside `Authorization`.
        cors_origins: the origins that browsers may call from; `*`: any.
        max_body_bytes: the largest request body.
        keepalive_s: after how many silent seconds a stream gets a comment.
        request_timeout_s: how long a caller may take to send a request.
        timeout_s: how long an answer may take where the caller sets no limit of its own.
    """

    api_key_header: str = "X-API-Key"
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 50 * 1024 * 1024
    keepalive_s: float = 15.0
    request_timeout_s: float = 60.0
    timeout_s: float = 600.0
