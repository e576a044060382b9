"""Rows that go into one transaction together, and who waits for it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from server.ledger.entry import Intent, Settlement, Whole
from server.ledger.record import Batch


@dataclass(slots=True)
class Group:
    """What came while the last transaction ran.

    Attributes:
        intents: by the completion's id.
        settlements: likewise.
        wholes: likewise; their intent and settlement came together.
    """

    intents: dict[str, Intent] = field(default_factory=dict)
    settlements: dict[str, Settlement] = field(default_factory=dict)
    wholes: dict[str, Whole] = field(default_factory=dict)

    def begin(self, intent: Intent) -> None:
        """Takes an intent."""
        self.intents[intent.id] = intent

    def end(self, settlement: Settlement, intent: Intent | None = None) -> None:
        """Takes a settlement. What was settled first stays.

        Args:
            settlement: the settlement.
            intent: the completion's intent, if it is another group's; None: it is this one's, or in the database.
        """
        id = settlement.id
        intent = self.intents.pop(id, intent)
        if intent is not None:
            if id not in self.wholes:
                self.wholes[id] = Whole(intent, settlement)
        elif id not in self.wholes and id not in self.settlements:
            self.settlements[id] = settlement

    def batch(self) -> Batch:
        """All of its rows."""
        return Batch(list(self.intents.values()), list(self.settlements.values()), list(self.wholes.values()))


@dataclass(slots=True)
class Awaited(Group):
    """A group whose rows somebody waits for.

    Attributes:
        waiters: who waits for which row; an intent's is among `intents`, or was.
    """

    waiters: list[tuple["asyncio.Future[None]", str]] = field(default_factory=list)

    def waiting(self, id: str) -> "Iterator[asyncio.Future[None]]":
        """Who waits for a completion's row."""
        return (waiter for waiter, theirs in self.waiters if theirs == id and not waiter.done())

    def fail(self, error: Exception) -> None:
        """Tells all who still wait that it went wrong."""
        for waiter, _ in self.waiters:
            if not waiter.done():
                waiter.set_exception(error)

    def done(self) -> None:
        """Tells all who still wait that it is written."""
        for waiter, _ in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
