"""Kills a gateway at random moments under mixed load, again and again, and checks its ledger each time. By hand:

    python -m benchmarks.killed [--rounds 200] [--seed 1] [--only sqlite|postgresql]

Callers ask for whole answers and streams, and some leave before the end. After each start: every request that the provider
saw has one row, none is open, none is there twice, what callers had whole is settled as completed, and a quota and a budget
leave exactly what the rows leave of them.

Prints what was there for each kind of database; ends with a failed assertion where something was wrong.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

import uvloop

from tests.end_to_end.killing import Killing, answer
from tests.fakes.stores import run_postgresql
from tests.fakes.vendor import ScriptedVendor

_REQUESTS_AFTER = 200
_SQLITE, _POSTGRESQL = "sqlite", "postgresql"


async def kill(url: str | None, rounds: int, seed: int) -> Killing:
    """Kills a gateway so many times.

    Args:
        url: of its database, which is empty; None: SQLite.
        rounds: how many times.
        seed: decides everything that is random.
    """
    chance = Random(seed)
    with tempfile.TemporaryDirectory(prefix="trunkline-") as folder:
        async with ScriptedVendor(default=answer(chance)) as vendor:
            killing = Killing(Path(folder), url, vendor, chance)
            await killing.prepare()
            for number in range(1, rounds + 1):
                await killing.run_and_kill()
                print(f"\r{number} of {rounds}", end="", file=sys.stderr, flush=True)
            await killing.run_to_the_end(_REQUESTS_AFTER)
    print(file=sys.stderr)
    return killing


async def _run(kind: str, rounds: int, seed: int) -> None:
    if kind == _SQLITE:
        killing = await kill(None, rounds, seed)
    else:
        with run_postgresql() as postgresql:
            killing = await kill(await postgresql.own("killed"), rounds, seed)
    print(
        f"{kind}: killed {rounds} times; {killing.rows} rows, {killing.interrupted} of them interrupted; "
        f"{len(killing.finished)} whole answers; nothing lost, nothing twice"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description="Kills a gateway at random moments and checks its ledger.")
    parser.add_argument("--rounds", type=int, default=200, help="kills for each kind of database")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=(_SQLITE, _POSTGRESQL))
    options = parser.parse_args(arguments)
    for kind in (_SQLITE, _POSTGRESQL) if options.only is None else (options.only,):
        uvloop.run(_run(kind, options.rounds, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
