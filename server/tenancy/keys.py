"""Who holds which key: those of the configuration, known for good, and those of the database, looked up and kept for a
moment.

What is kept is at most two seconds old, so that whatever happens to a key, its user or its tenant holds everywhere within
them. While the database fails, who was let in last is let in for a minute yet. Each look-up that lets somebody in counts as
the key's use: calls between two of them need not tell.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog
from sqlalchemy import RowMapping, Select, bindparam, func, select

from server.caller import ANONYMOUS, Caller
from server.clock import Clock
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import API_KEYS, TENANTS, USERS
from server.tenancy.failing import unavailable
from server.tenancy.last_uses import LastUses

_KNOWN_S = 2.0
_UNKNOWN_S = 1.0
_FAILING_S = 60.0
"""How old may be what is kept: of a key that is there, of one that is not, and of the former while the database fails."""

_LOOKUP_S = 1.0
"""How long a look-up may take."""

_PAUSE_S = 1.0
"""How long the database is left alone once it failed."""

_TRIAL_S = 0.1
"""How long somebody waits for it after that who could be let in without it."""

_NOT_KNOWN = "This API key is not known."
_EXPIRED = "This API key has expired."


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a key.

    Attributes:
        digest: the key's SHA-256.
        caller: its holder.
        refusal: why it is not let in; empty: it is.
    """

    digest: bytes
    caller: Caller
    refusal: str = ""


class Keys(Protocol):
    """The keys there are, by their SHA-256 digests."""

    def cached(self, digest: bytes) -> Standing | None:
        """What is known of a key; None: `find` has to be asked."""

    async def find(self, digest: bytes) -> Standing:
        """What is known of a key once it was looked up.

        Raises:
            GatewayError: OVERLOADED when nobody can tell.
        """


class ConfiguredKeys:
    """The keys of the configuration.

    Args:
        holders: each key's holder, by the key's SHA-256 digest.
    """

    def __init__(self, holders: Mapping[bytes, Caller]) -> None:
        self._standings = {digest: Standing(digest, caller) for digest, caller in holders.items()}

    def get(self, digest: bytes) -> Standing | None:
        """What is known of a key; None: it is none of them."""
        return self._standings.get(digest)

    def cached(self, digest: bytes) -> Standing | None:
        """What is known of a key, which is everything."""
        return self._standings.get(digest) or Standing(digest, ANONYMOUS, _NOT_KNOWN)

    async def find(self, digest: bytes) -> Standing:
        """As `cached`, which is never at a loss."""
        return self._standings.get(digest) or Standing(digest, ANONYMOUS, _NOT_KNOWN)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A standing, and when it was looked up; by the monotonic clock.

    Attributes:
        standing: what came of it.
        begin: when the look-up began: it may not know of what happened since.
        end: until when it holds.
        expire: when the key ends by itself; None: it does not.
    """

    standing: Standing
    begin: float
    end: float
    expire: float | None


class StoredKeys:
    """The keys of the configuration and those of the database. Whoever makes it closes it.

    Args:
        configured: the former.
        database: has the latter.
        clock: tells the time.
        most_known: how many keys are kept that are there.
        most_unknown: and how many that are not.
        last_uses: is told which keys are used, and closed with this; None: one for the database.
    """

    def __init__(
        self,
        configured: ConfiguredKeys,
        database: Database,
        clock: Clock,
        most_known: int = 20_000,
        most_unknown: int = 5_000,
        last_uses: LastUses | None = None,
    ) -> None:
        self._configured = configured
        self._database = database
        self._clock = clock
        self._most_known, self._most_unknown = most_known, most_unknown
        self._known: OrderedDict[bytes, _Kept] = OrderedDict()
        self._unknown: OrderedDict[bytes, _Kept] = OrderedDict()
        self._lookups: dict[bytes, asyncio.Task[Standing | None]] = {}
        self._pause_end = 0.0
        self._failing = False
        self._query = _query()
        self._last_uses = last_uses or LastUses(database, clock)

    def cached(self, digest: bytes) -> Standing | None:
        """What is known of a key; None: `find` has to be asked."""
        standing = self._configured.get(digest)
        if standing is not None:
            return standing
        kept = self._known.get(digest) or self._unknown.get(digest)
        return kept.standing if kept is not None and self._clock.monotonic() < kept.end else None

    async def find(self, digest: bytes) -> Standing:
        """What is known of a key once it was looked up; who comes while it is being looked up waits for the same answer.

        Raises:
            GatewayError: OVERLOADED when the database fails and the key was not let in within the last minute.
        """
        if self._clock.monotonic() < self._pause_end:
            standing = self._last(digest)
        else:
            lookup = self._lookups.get(digest)
            if lookup is None:
                lookup = self._lookups[digest] = asyncio.create_task(self._look_up(digest))
                lookup.add_done_callback(lambda _: self._lookups.pop(digest, None))
            standing = self._last(digest) if self._failing else None
            if standing is None:
                standing = await asyncio.shield(lookup)
            elif (await asyncio.wait({lookup}, timeout=_TRIAL_S))[0]:
                standing = lookup.result()
        if standing is None:
            raise unavailable()
        return standing

    async def close(self) -> None:
        """Ends what is being looked up, and writes which keys were used."""
        lookups = list(self._lookups.values())
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        await self._last_uses.close()

    async def _look_up(self, digest: bytes) -> Standing | None:
        """Asks the database, and keeps what it says; None: it fails, and nothing that holds was kept."""
        begin = self._clock.monotonic()
        try:
            async with self._database.read(_LOOKUP_S) as connection:
                row = (await connection.execute(self._query, {"digest": digest})).mappings().first()
        except StorageError as error:
            if not self._failing:
                structlog.get_logger("trunkline.tenancy").error("key_lookup_failed", error=str(error))
            self._failing, self._pause_end = True, self._clock.monotonic() + _PAUSE_S
            return self._last(digest)
        self._failing = False
        if row is None:
            self._known.pop(digest, None)
            kept = _Kept(Standing(digest, ANONYMOUS, _NOT_KNOWN), begin, begin + _UNKNOWN_S, None)
            _keep(self._unknown, digest, kept, self._most_unknown)
        else:
            self._unknown.pop(digest, None)
            kept = self._read(row, begin)
            _keep(self._known, digest, kept, self._most_known)
            if not kept.standing.refusal:
                self._last_uses.note(kept.standing.caller.key_id)
        return kept.standing

    def _read(self, row: RowMapping, begin: float) -> _Kept:
        caller = Caller(
            name=f"api_keys/{row['id']}",
            permissions=frozenset(orjson.loads(row["permissions"])),
            tenant_id=row["tenant_id"],
            user_id=row["user_id"],
            key_id=row["id"],
            models=tuple(orjson.loads(row["allowed_models"])),
            providers=tuple(orjson.loads(row["allowed_providers"])),
        )
        expire, end = None, begin + _KNOWN_S
        times = [time for time in (row["expire_time"], row["own_expire_time"]) if time is not None]
        if times:
            expire = begin + min(times) / 1e6 - self._clock.now()
            end = min(end, expire) if expire > begin else end
        refusal = _refusal(row, expire is not None and expire <= begin)
        return _Kept(Standing(bytes(row["digest"]), caller, refusal), begin, end, expire)

    def _last(self, digest: bytes) -> Standing | None:
        """What was known last of a key, while nobody can tell more; None: nothing that still holds."""
        kept, now = self._known.get(digest), self._clock.monotonic()
        if kept is None or now >= kept.begin + _FAILING_S:
            return None
        if kept.expire is not None and now >= kept.expire:
            return Standing(digest, kept.standing.caller, _EXPIRED)
        return kept.standing


def _query() -> "Select[tuple[object, ...]]":
    """The key with a digest, by what its own row says of its end, and what the row that it belongs to says of all else."""
    shown, key = API_KEYS.alias("shown"), API_KEYS.alias("key")
    columns = key.c.id, key.c.tenant_id, key.c.user_id, key.c.permissions, key.c.allowed_models, key.c.allowed_providers
    return (
        select(
            shown.c.digest,
            shown.c.expire_time.label("own_expire_time"),
            *columns,
            key.c.enabled,
            key.c.expire_time,
            USERS.c.enabled.label("user_enabled"),
            TENANTS.c.enabled.label("tenant_enabled"),
        )
        .join_from(shown, key, key.c.id == func.coalesce(shown.c.replaced_by, shown.c.id))
        .join(USERS, USERS.c.id == key.c.user_id)
        .join(TENANTS, TENANTS.c.id == key.c.tenant_id)
        .where(shown.c.digest == bindparam("digest"))
    )


def _refusal(row: RowMapping, expired: bool) -> str:
    """Why a key is not let in; empty: it is."""
    if not row["enabled"]:
        return "This API key is disabled."
    if expired:
        return _EXPIRED
    if not row["user_enabled"]:
        return "The user of this API key is disabled."
    return "" if row["tenant_enabled"] else "The tenant of this API key is disabled."


def _keep(all_kept: OrderedDict[bytes, _Kept], digest: bytes, kept: _Kept, most: int) -> None:
    """Keeps one more; where there are too many, what was looked up longest ago goes."""
    all_kept[digest] = kept
    all_kept.move_to_end(digest)
    if len(all_kept) > most:
        all_kept.popitem(last=False)
