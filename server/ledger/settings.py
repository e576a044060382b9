"""How the ledger works. Values, nothing else."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """How the ledger works.

    Attributes:
        on_failure: what happens to requests while the database fails: their rows are spooled, or they are refused.
        deadline_s: a transaction that takes longer is a failure.
        max_waiting: so many rows wait for a transaction; further intents wait for room.
        max_spool_bytes: the spool's size, after which requests are refused.
        max_body_bytes: how much of a request or answer is kept.
        lease_s: a worker of another host that has been silent for longer is dead.
        journal_s: rows of the journal go to the database after so long,
        journal_rows: or when they are so many.
        journal_bytes: of more, rows are in the file alone until then, and not in memory.
    """

    on_failure: Literal["spool", "refuse"] = "spool"
    deadline_s: float = 2.0
    max_waiting: int = 10_000
    max_spool_bytes: int = 256 * 1024 * 1024
    max_body_bytes: int = 64 * 1024
    lease_s: float = 60.0
    journal_s: float = 0.2
    journal_rows: int = 1000
    journal_bytes: int = 8 * 1024 * 1024
