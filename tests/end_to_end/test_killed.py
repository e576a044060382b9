"""A gateway that is killed loses nothing: each request that its provider saw has one row, and limits count those rows."""

from pathlib import Path
from random import Random

from tests.end_to_end.killing import Killing, answer
from tests.fakes.vendor import ScriptedVendor

_ROUNDS = 3
_SEED = 4
_REQUESTS_AFTER = 60


async def test_on_sqlite_each_request_that_a_provider_saw_has_one_row(tmp_path: Path) -> None:
    await _kill_again_and_again(tmp_path, None)


async def test_on_postgresql_each_request_that_a_provider_saw_has_one_row(tmp_path: Path, postgresql_url: str) -> None:
    await _kill_again_and_again(tmp_path, postgresql_url)


async def test_what_redis_counts_is_the_sum_of_the_rows_again(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    await _kill_again_and_again(tmp_path, postgresql_url, redis_url)


async def _kill_again_and_again(folder: Path, url: str | None, redis_url: str | None = None) -> None:
    chance = Random(_SEED)
    async with ScriptedVendor(default=answer(chance)) as vendor:
        killing = Killing(folder, url, vendor, chance, redis_url)
        await killing.prepare()
        for _ in range(_ROUNDS):
            await killing.run_and_kill()
        await killing.run_to_the_end(_REQUESTS_AFTER)
    assert min(killing.killed) > 0
    assert killing.interrupted > 0
    assert len(killing.finished) > _REQUESTS_AFTER / 2
