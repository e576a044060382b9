"""Ten thousand headers that nobody should send: one of them in a hundred is right, all others are refused, and alike."""

from hashlib import sha256
from random import Random

import pytest

from server.caller import ANONYMOUS, COMPLETION, Caller
from server.errors import GatewayError
from server.interceptors.auth import Auth
from server.storage.database import Database
from server.tenancy.keys import ConfiguredKeys, Standing, StoredKeys
from tests.server.calls import call
from tests.server.tenancy.world import World, settle
from trunkline.v1.error_reason_pb2 import ErrorReason

CASES = 10_000
COMPLETE = "/trunkline.v1.CompletionService/CreateChatCompletion"
KEY = "llm_8a0f9f4e-6f0a-4f6e-9d5c-0d6f4f0a1b2c"
TEXTS = {
    "No API key was given. Send it as `authorization: Bearer KEY` or `x-api-key: KEY`.",
    "This API key is not known.",
}
SCHEMES = ("Bearer ", "bearer ", "BEARER\t", "Bearer", "Basic ", "Token ", "", " Bearer ", "Bearer  ")
PARTS = (
    "'",
    '"',
    "' OR '1'='1",
    "; DROP TABLE api_keys; --",
    "%",
    "_",
    "\\",
    "\0",
    "\r\n",
    "\ud800",
    "é",
    "\u202e",
    "{}",
    "*",
)


class Watched:
    """Keys that note what they were asked.

    Attributes:
        lengths: how long the digests were.
    """

    def __init__(self, keys: ConfiguredKeys) -> None:
        self._keys = keys
        self.lengths: set[int] = set()

    def cached(self, digest: bytes) -> Standing | None:
        self.lengths.add(len(digest))
        return self._keys.cached(digest)

    async def find(self, digest: bytes) -> Standing:
        return await self._keys.find(digest)


def mangled(random: Random) -> str:
    """A key with something wrong with it, most of the time."""
    match random.randrange(7):
        case 0:
            place = random.randrange(len(KEY))
            return KEY[:place] + random.choice(PARTS) + KEY[place + random.randrange(2) :]
        case 1:
            return KEY[: random.randrange(len(KEY))]
        case 2:
            return KEY * random.randrange(1, 100)
        case 3:
            return "".join(chr(random.randrange(0x110000)) for _ in range(random.randrange(64)))
        case 4:
            return random.choice((KEY.upper(), KEY[::-1], f"{KEY} {KEY}", f"{KEY},", sha256(KEY.encode()).hexdigest()))
        case 5:
            return "".join(random.choices(PARTS, k=random.randrange(1, 20)))
        case _:
            return random.choice((KEY, f" {KEY} ", "llm_" + "".join(random.choices("0123456789abcdef", k=32))))


def header(random: Random) -> dict[str, str | bytes]:
    """Metadata with a key in one place or both."""
    metadata: dict[str, str | bytes] = {}
    if random.random() < 0.8:
        metadata["authorization"] = random.choice(SCHEMES) + mangled(random)
    if random.random() < 0.4:
        key = mangled(random)
        metadata["x-api-key"] = key.encode("utf-8", "surrogatepass") if random.random() < 0.1 else key
    return metadata


def shown(metadata: dict[str, str | bytes]) -> str:
    """The key that a header shows, by another road than the server's."""
    words = str(metadata.get("authorization", "")).split(" ", 1)
    if words[0].lower() == "bearer" and len(words) == 2 and words[1].strip():
        return words[1].strip()
    key = metadata.get("x-api-key", "")
    return key.strip() if isinstance(key, str) else ""


async def outcome(auth: Auth, metadata: dict[str, str | bytes]) -> tuple[Caller, str, GatewayError | None]:
    """Who is let in with these headers, whether that had to wait, and why nobody is."""
    made, waited = call(COMPLETE, metadata), "at once"
    try:
        waiting = auth.enter(made)
        if waiting is not None:
            waited = "later"
            await waiting
    except GatewayError as error:
        return made.caller, waited, error
    return made.caller, waited, None


async def test_ten_thousand_headers_let_in_the_key_alone() -> None:
    random, caller = Random(20), Caller("app", frozenset({COMPLETION}))
    keys = Watched(ConfiguredKeys({sha256(KEY.encode()).digest(): caller}))
    auth, let_in, texts = Auth(keys), 0, set[str]()
    for _ in range(CASES):
        metadata = header(random)
        who, _, error = await outcome(auth, metadata)
        assert (who, error is None) == ((caller, True) if shown(metadata) == KEY else (ANONYMOUS, False))
        if error is None:
            let_in += 1
            continue
        assert (error.reason, error.metadata) == (ErrorReason.ERROR_REASON_INVALID_API_KEY, {})
        texts.add(error.message)
    assert let_in > CASES // 100
    assert texts == TEXTS
    assert keys.lengths == {32}


@pytest.fixture
async def world(sqlite_database: Database) -> World:
    return await settle(sqlite_database)


async def test_the_database_is_asked_for_digests_alone(world: World) -> None:
    random, keys = Random(21), StoredKeys(ConfiguredKeys({}), world.database, world.clock)
    auth, texts = Auth(keys), set[str]()
    for _ in range(300):
        who, _, error = await outcome(auth, header(random))
        assert who == ANONYMOUS
        assert error is not None
        texts.add(error.message)
    assert texts == TEXTS
    right: dict[str, str | bytes] = {"authorization": f"Bearer {world.acme.plain}"}
    ends = [await outcome(auth, right) for _ in range(2)]
    assert [(who.key_id, waited) for who, waited, _ in ends] == [
        (world.acme.key.id, "later"),
        (world.acme.key.id, "at once"),
    ]
    await keys.close()
