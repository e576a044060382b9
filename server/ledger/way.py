"""The ways that rows take to the database. Two modules know one each."""

from collections.abc import Sequence
from typing import Protocol

from server.errors import GatewayError
from server.ledger.entry import Intent, Settlement
from trunkline.v1.error_reason_pb2 import ErrorReason

_RETRY_AFTER_S = 2.0


class Way(Protocol):
    """A way.

    Attributes:
        at_once: whether nobody has to wait, as a rule.
    """

    at_once: bool

    @property
    def waiting(self) -> int:
        """How many rows wait because the database failed."""

    async def start(self) -> None:
        """Begins.

        Raises:
            OSError: the disk fails.
        """

    def intend_at_once(self, intents: Sequence[Intent]) -> bool:
        """Takes intents; they outlive the process then. False: it took none, and `intent` has to be waited for."""

    def settle_at_once(self, settlements: Sequence[Settlement]) -> bool:
        """Takes settlements; False: it took none, and `settle` has to be waited for."""

    async def intent(self, intent: Intent) -> None:
        """Takes an intent; returns when that outlives the process.

        Raises:
            GatewayError: OVERLOADED, as the row can neither be written nor wait.
            RowError: no database takes it.
        """

    async def settle(self, settlement: Settlement) -> None:
        """Takes a settlement; likewise. It is taken whether or not the caller waits."""

    async def flush(self) -> None:
        """Returns when the database has all that was taken before, or fails."""

    async def close(self) -> bool:
        """Ends; gives whether the database has everything. The rest waits for the next start."""


def refusal() -> GatewayError:
    """What a request is told whose intent cannot be taken."""
    return GatewayError(
        ErrorReason.ERROR_REASON_OVERLOADED, "The ledger takes no completions at the moment", retry_after_s=_RETRY_AFTER_S
    )
