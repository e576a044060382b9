"""A process that commits row after row and tells of each. Arguments: the database's URL; how its rows begin."""

import asyncio
import sys
from itertools import count

from server.storage.database import Database
from tests.server.storage.tenants import add


async def main(url: str, prefix: str) -> None:
    """Runs until it is ended."""
    database = await Database.open(url, None)
    for number in count(1):
        await add(database, f"{prefix}{number:06}")
        print(f"{prefix}{number:06}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
