"""Whether the database fails, as those who write to it find."""

from collections.abc import Callable

import structlog

from server.storage.errors import StorageError

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
"""How long one waits between tries: each time twice as long, until this."""


class Trouble:
    """Told by each writer when the database begins to fail it, and when all that waited has arrived; tells first and last.

    Args:
        tell: told True, then False; raises not.
    """

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        self._count = 0

    def __bool__(self) -> bool:
        """Whether it fails anybody."""
        return self._count > 0

    def begin(self, error: Exception) -> None:
        """A writer is failed; with what."""
        self._count += 1
        log: structlog.stdlib.BoundLogger = structlog.get_logger("trunkline.ledger")
        if isinstance(error, StorageError | OSError):
            log.warning("ledger_troubled", error=str(error))
        else:  # whatever it is, the rows are worth more
            log.error("ledger_failed", exc_info=error)
        if self._count == 1:
            self._tell(True)

    def end(self) -> None:
        """All that waited for a writer has arrived."""
        self._count -= 1
        if not self._count:
            structlog.get_logger("trunkline.ledger").info("ledger_mended")
            self._tell(False)
