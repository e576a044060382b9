"""What callers are told when the database fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from server.errors import GatewayError
from server.storage.errors import StorageError
from trunkline.v1.error_reason_pb2 import ErrorReason

_RETRY_AFTER_S = 1.0


def unavailable() -> GatewayError:
    """The database does not answer; UNAVAILABLE, and worth another try."""
    return GatewayError(
        ErrorReason.ERROR_REASON_OVERLOADED,
        "The gateway's database does not answer; try again later.",
        retry_after_s=_RETRY_AFTER_S,
    )


@contextmanager
def failing() -> Iterator[None]:
    """Turns what the block's database fails with into what callers are told; the log has the rest.

    Raises:
        GatewayError: OVERLOADED.
    """
    try:
        yield
    except StorageError as error:
        structlog.get_logger("trunkline.tenancy").error("storage_failed", error=str(error))
        raise unavailable() from error
