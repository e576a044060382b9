"""Workers that are killed: for each line read, a child tells a ledger of completions for ever.

A line has a URL, a spool's folder, and whether the child is alone with the database.

Says `pid N`, then what is sure (`intent ID`, `settled ID`), and `gone` once the child is.
"""

import asyncio
import os
import sys
from pathlib import Path

from server.clock import SystemClock
from server.ledger.ledger import Ledger
from server.ledger.settings import LedgerSettings
from server.storage.database import Database
from server.worker import find_worker_id
from tests.server.ledger.entries import intent, settlement


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def work(url: str, folder: Path, alone: bool) -> None:
    database = await Database.open(url, None)
    settings = LedgerSettings(deadline_s=0.2, journal_s=0.005)
    ledger = Ledger(database, SystemClock(), find_worker_id(), folder, settings, alone=alone)
    await ledger.recover()
    say("ready")

    async def complete(lane: int) -> None:
        for number in range(1_000_000):
            id = f"{os.getpid()}-{lane}-{number}"
            await ledger.intent(intent(id, worker=ledger.worker))
            say(f"intent {id}")
            await asyncio.sleep(0)
            await ledger.settle(settlement(id))
            say(f"settled {id}")

    await asyncio.gather(*(complete(lane) for lane in range(8)))


def main() -> None:
    for line in sys.stdin:
        url, folder, alone = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(work(url, Path(folder), alone == "alone"))
            os._exit(0)
        say(f"pid {child}")
        os.waitpid(child, 0)
        say("gone")


main()
