"""Two tenants, each with a user and a key, in a database; and who asks for what."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from hashlib import sha256

from sqlalchemy import text

from server.storage.database import Database
from server.tenancy.records import ApiKey, Tenant, User
from server.tenancy.tenancy import Tenancy
from server.tenancy.who import Who

OPERATOR = Who("all", "", "req_1", "Something")
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
BEGIN = 1_800_000_000.0


@dataclass(slots=True)
class TurnedClock:
    """A clock that a test turns."""

    time: float = BEGIN

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - BEGIN + 100


@dataclass(frozen=True, slots=True)
class Household:
    """A tenant with a user and a key of it.

    Attributes:
        plain: the key itself.
        admin: somebody who administers this tenant alone.
    """

    tenant: Tenant
    user: User
    key: ApiKey
    plain: str
    admin: Who

    @property
    def digest(self) -> bytes:
        """The key's SHA-256."""
        return sha256(self.plain.encode()).digest()


@dataclass(frozen=True, slots=True)
class World:
    """What there is."""

    database: Database
    clock: TurnedClock
    tenancy: Tenancy
    households: dict[str, Household] = field(default_factory=dict)

    @property
    def acme(self) -> Household:
        """The one."""
        return self.households["acme"]

    @property
    def umbrella(self) -> Household:
        """The other."""
        return self.households["umbrella"]


async def settle(database: Database) -> World:
    """Makes the tenants."""
    clock = TurnedClock()
    tenancy = Tenancy(database, clock)
    world = World(database, clock, tenancy)
    for name in ("acme", "umbrella"):
        tenant = await tenancy.tenants.create(OPERATOR, name.title(), name)
        user = await tenancy.users.create(OPERATOR, name, f"{name}'s user")
        key, plain = await tenancy.api_keys.create(OPERATOR, user.id, f"{name}'s key", ("completion",))
        admin = Who(f"admin of {name}", name, "req_2", "Something")
        world.households[name] = Household(tenant, user, key, plain, admin)
        clock.time += 1
    return world


def acting(who: Who, action: str) -> Who:
    """Somebody who calls an RPC."""
    return replace(who, action=action)


async def blocked(world: World, action: Awaitable[object], others: int = 0) -> asyncio.Future[object]:
    """Begins something, and returns once it waits for a lock of PostgreSQL's, beside so many others."""
    begun = asyncio.ensure_future(action)
    async with asyncio.timeout(20), world.database.begin() as connection:
        while await connection.scalar(WAITING) == others and not begun.done():
            pass
    return begun
