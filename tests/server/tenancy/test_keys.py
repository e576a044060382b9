"""Keys of the database let their holders in, and stop to within two seconds."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest
from sqlalchemy import text

from server.caller import Caller
from server.errors import GatewayError
from server.storage.database import Database
from server.tenancy.keys import ConfiguredKeys, Standing, StoredKeys
from tests.server.tenancy.world import OPERATOR, World, settle
from trunkline.v1.error_reason_pb2 import ErrorReason

CONFIGURED = sha256(b"configured").digest()
KNOWN_S, UNKNOWN_S, FAILING_S = 2.0, 1.0, 60.0
SECOND = 1_000_000


@pytest.fixture
async def keys(world: World) -> AsyncIterator[StoredKeys]:
    configured = ConfiguredKeys({CONFIGURED: Caller("all", frozenset({"admin"}))})
    stored = StoredKeys(configured, world.database, world.clock)
    yield stored
    await stored.close()


async def look(keys: StoredKeys, digest: bytes) -> Standing:
    """What a call would learn of a key."""
    return keys.cached(digest) or await keys.find(digest)


async def fail(world: World, *, failing: bool) -> None:
    """Takes a table away, or brings it back."""
    names = ("api_keys", "elsewhere") if failing else ("elsewhere", "api_keys")
    async with world.database.begin() as connection:
        await connection.execute(text("ALTER TABLE {} RENAME TO {}".format(*names)))


async def test_a_keys_holder_is_told_with_all_they_may_do(world: World, keys: StoredKeys) -> None:
    changes = {"allowed_models": ("gpt-*",), "allowed_providers": ("openai",), "permissions": ("models:read", "admin")}
    key = await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, changes)
    standing = await look(keys, world.acme.digest)
    permissions = frozenset({"models:read", "admin"})
    caller = Caller(f"api_keys/{key.id}", permissions, "acme", key.user_id, key.id, ("gpt-*",), ("openai",))
    assert standing == Standing(world.acme.digest, caller)


async def test_a_key_of_the_configuration_needs_no_database(world: World, keys: StoredKeys) -> None:
    await fail(world, failing=True)
    standing = keys.cached(CONFIGURED)
    assert standing is not None
    assert standing.caller.name == "all"
    await fail(world, failing=False)


async def test_a_key_that_was_looked_up_is_known_at_once_for_two_seconds(world: World, keys: StoredKeys) -> None:
    assert keys.cached(world.acme.digest) is None
    found = await keys.find(world.acme.digest)
    world.clock.time += KNOWN_S - 0.001
    assert keys.cached(world.acme.digest) is found
    world.clock.time += 0.001
    assert keys.cached(world.acme.digest) is None


async def enable(world: World, what: str, enabled: bool) -> None:
    """Enables or disables the first household's key, user or tenant."""
    tenancy, changes = world.tenancy, {"enabled": enabled}
    match what:
        case "key":
            await tenancy.api_keys.update(OPERATOR, world.acme.key.id, changes)
        case "user":
            await tenancy.users.update(OPERATOR, world.acme.user.id, changes)
        case "tenant":
            await tenancy.tenants.update(OPERATOR, "acme", changes)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("key", "This API key is disabled."),
        ("user", "The user of this API key is disabled."),
        ("tenant", "The tenant of this API key is disabled."),
    ],
)
async def test_what_is_disabled_is_refused_after_two_seconds_and_says_so(
    world: World, keys: StoredKeys, what: str, said: str
) -> None:
    assert (await look(keys, world.acme.digest)).refusal == ""
    await enable(world, what, False)
    world.clock.time += KNOWN_S
    assert (await look(keys, world.acme.digest)).refusal == said
    assert (await look(keys, world.umbrella.digest)).refusal == ""
    await enable(world, what, True)
    world.clock.time += KNOWN_S
    assert (await look(keys, world.acme.digest)).refusal == ""


async def test_a_deleted_key_is_not_known_after_two_seconds(world: World, keys: StoredKeys) -> None:
    await look(keys, world.acme.digest)
    await world.tenancy.api_keys.delete(OPERATOR, world.acme.key.id)
    world.clock.time += KNOWN_S
    assert "not known" in (await look(keys, world.acme.digest)).refusal


async def test_a_key_ends_to_the_moment(world: World, keys: StoredKeys) -> None:
    end = round(world.clock.time * 1e6) + SECOND // 2
    await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, {"expire_time": end})
    assert (await look(keys, world.acme.digest)).refusal == ""
    world.clock.time += 0.5
    assert "expired" in (await look(keys, world.acme.digest)).refusal


async def test_a_key_that_is_not_known_is_looked_for_again_after_a_second(world: World, keys: StoredKeys) -> None:
    digest = sha256(b"nothing").digest()
    refused = await look(keys, digest)
    assert "not known" in refused.refusal
    assert keys.cached(digest) is refused
    world.clock.time += UNKNOWN_S
    assert keys.cached(digest) is None


async def test_a_rotated_key_goes_on_beside_the_new_one_until_the_overlap_ends(world: World, keys: StoredKeys) -> None:
    acme = world.acme
    rotated, plain = await world.tenancy.api_keys.rotate(OPERATOR, acme.key.id, 10 * SECOND)
    new = sha256(plain.encode()).digest()
    old_caller, new_caller = (await look(keys, acme.digest)).caller, (await look(keys, new)).caller
    assert old_caller == new_caller
    assert (rotated.id, [each.prefix for each in rotated.former_keys]) == (acme.key.id, [acme.key.prefix])
    world.clock.time += 10
    assert "expired" in (await look(keys, acme.digest)).refusal
    assert (await look(keys, new)).refusal == ""
    assert (await world.tenancy.api_keys.get(OPERATOR, acme.key.id)).former_keys == ()


async def test_a_key_rotated_without_overlap_is_not_known(world: World, keys: StoredKeys) -> None:
    await world.tenancy.api_keys.rotate(OPERATOR, world.acme.key.id, 0)
    assert "not known" in (await look(keys, world.acme.digest)).refusal


async def test_what_happens_to_a_key_happens_to_the_one_it_replaced(world: World, keys: StoredKeys) -> None:
    await world.tenancy.api_keys.rotate(OPERATOR, world.acme.key.id, 100 * SECOND)
    await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, {"enabled": False})
    assert "disabled" in (await look(keys, world.acme.digest)).refusal
    await world.tenancy.api_keys.delete(OPERATOR, world.acme.key.id)
    world.clock.time += KNOWN_S
    assert "not known" in (await look(keys, world.acme.digest)).refusal


async def test_while_the_database_fails_who_was_let_in_is_let_in_for_a_minute(world: World, keys: StoredKeys) -> None:
    begin = world.clock.time
    assert (await look(keys, world.acme.digest)).refusal == ""
    await fail(world, failing=True)
    for later in (KNOWN_S, 10, FAILING_S - 0.001):
        world.clock.time = begin + later
        assert (await look(keys, world.acme.digest)).refusal == ""
    world.clock.time = begin + FAILING_S
    for digest in (world.acme.digest, world.umbrella.digest):
        with pytest.raises(GatewayError) as raised:
            await look(keys, digest)
        assert (raised.value.reason, raised.value.code.name) == (ErrorReason.ERROR_REASON_OVERLOADED, "UNAVAILABLE")
    await fail(world, failing=False)
    world.clock.time += 1
    assert (await look(keys, world.umbrella.digest)).refusal == ""


async def test_a_key_expires_while_the_database_fails(world: World, keys: StoredKeys) -> None:
    end = round(world.clock.time * 1e6) + 5 * SECOND
    await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, {"expire_time": end})
    await look(keys, world.acme.digest)
    await fail(world, failing=True)
    world.clock.time += 5
    assert "expired" in (await look(keys, world.acme.digest)).refusal
    await fail(world, failing=False)


async def test_what_is_kept_has_a_bound(small_world: World) -> None:
    stored = StoredKeys(ConfiguredKeys({}), small_world.database, small_world.clock, most_known=1, most_unknown=2)
    digests = [sha256(bytes([number])).digest() for number in range(3)]
    for digest in (*digests, small_world.acme.digest, small_world.umbrella.digest):
        await stored.find(digest)
    assert [stored.cached(digest) is not None for digest in digests] == [False, True, True]
    assert stored.cached(small_world.acme.digest) is None
    assert stored.cached(small_world.umbrella.digest) is not None
    await stored.close()


async def test_who_comes_while_a_key_is_looked_up_waits_for_the_same_answer(world: World, keys: StoredKeys) -> None:
    waiting = [asyncio.ensure_future(keys.find(world.acme.digest)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    answers = await asyncio.gather(*waiting[1:])
    assert {id(answer) for answer in answers} == {id(keys.cached(world.acme.digest))}


async def test_a_look_up_ends_with_the_keys(world: World, keys: StoredKeys) -> None:
    waiting = asyncio.ensure_future(keys.find(world.acme.digest))
    await asyncio.sleep(0)
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_while_the_database_is_slow_who_was_let_in_is_let_in(postgresql_database: Database) -> None:
    world = await settle(postgresql_database)
    keys = StoredKeys(ConfiguredKeys({}), world.database, world.clock)
    first = await keys.find(world.acme.digest)
    async with world.database.begin() as connection:
        await connection.execute(text("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
        for _ in range(3):
            world.clock.time += KNOWN_S
            assert await keys.find(world.acme.digest) == first
    await world.tenancy.api_keys.update(OPERATOR, world.acme.key.id, {"enabled": False})
    await keys.close()
    world.clock.time += KNOWN_S
    assert "disabled" in (await keys.find(world.acme.digest)).refusal
    await keys.close()
