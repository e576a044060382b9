"""A provider's list is kept for a while; refreshes join; a failure keeps what there was."""

import asyncio

import pytest

from server.catalogue.lists import KEEP_S, RETRY_S, ProviderList
from server.providers.errors import Fault, ProviderError
from tests.server.catalogue.listing_provider import Listing, TurnedClock

DOWN = ProviderError(Fault.CONNECTION, "No.")
PATIENCE_S = 20.0


def listed(provider: Listing | None) -> tuple[ProviderList, TurnedClock]:
    clock = TurnedClock()
    return ProviderList("a", provider, clock), clock


async def test_the_first_list_is_asked_for_and_the_next_kept() -> None:
    provider = Listing(["m"])
    models, clock = listed(provider)
    first, second = await models.get(PATIENCE_S), await models.get_new(PATIENCE_S)
    assert ([each.id for each in first.models], first.cached, second.cached) == (["m"], False, True)
    assert first.refresh_time == second.refresh_time == clock.now()
    assert (first.error, provider.asked) == ("", 1)


async def test_a_list_is_new_for_five_minutes() -> None:
    provider = Listing(["m"])
    models, clock = listed(provider)
    await models.get_new(PATIENCE_S)
    clock.turn(KEEP_S - 1)
    assert (await models.get_new(PATIENCE_S)).cached
    provider.listed = ["n"]
    clock.turn(1)
    renewed = await models.get_new(PATIENCE_S)
    assert ([each.id for each in renewed.models], renewed.cached, provider.asked) == (["n"], False, 2)
    assert renewed.refresh_time == clock.now()


async def test_a_list_with_nothing_in_it_is_new_like_any_other() -> None:
    models, clock = listed(Listing())
    first, second = await models.get_new(PATIENCE_S), await models.get_new(PATIENCE_S)
    clock.turn(1)
    third = await models.refresh(PATIENCE_S)
    assert (first.cached, second.cached, third.cached) == (False, True, False)


async def test_an_old_list_is_given_at_once_while_a_new_one_comes() -> None:
    provider = Listing(["m"])
    models, clock = listed(provider)
    await models.get(PATIENCE_S)
    clock.turn(KEEP_S)
    provider.may_answer.clear()
    old = await models.get(PATIENCE_S)
    assert ([each.id for each in old.models], old.cached) == (["m"], True)
    provider.may_answer.set()
    await models.refresh(PATIENCE_S)
    assert provider.asked == 2


async def test_those_who_ask_at_once_share_one_question() -> None:
    provider = Listing(["m"])
    models, _ = listed(provider)
    asked = [models.get(PATIENCE_S), models.get_new(PATIENCE_S), models.refresh(PATIENCE_S), models.refresh(PATIENCE_S)]
    listings = await asyncio.gather(*asked)
    assert [len(listing.models) for listing in listings] == [1, 1, 1, 1]
    assert provider.asked == 1


async def test_one_who_leaves_does_not_end_the_question_of_others() -> None:
    provider = Listing(["m"])
    models, _ = listed(provider)
    provider.may_answer.clear()
    leaver = asyncio.ensure_future(models.refresh(PATIENCE_S))
    stayer = asyncio.ensure_future(models.refresh(PATIENCE_S))
    await provider.asking.wait()
    leaver.cancel()
    provider.may_answer.set()
    assert len((await stayer).models) == 1


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (DOWN, "connection_error"),
        (ProviderError(Fault.AUTHENTICATION, "sk-secret is wrong"), "authentication_error"),
        (TimeoutError(), "timeout_error"),
        (ValueError("no list"), "protocol_error"),
    ],
    ids=["down", "key", "slow", "fault"],
)
async def test_a_failed_refresh_keeps_the_old_list_and_says_so(failure: Exception, error: str) -> None:
    provider = Listing(["m"])
    models, clock = listed(provider)
    first = await models.get(PATIENCE_S)
    clock.turn(KEEP_S)
    provider.listed = failure
    kept = await models.refresh(PATIENCE_S)
    assert ([each.id for each in kept.models], kept.cached, kept.error) == (["m"], True, error)
    assert kept.refresh_time == first.refresh_time


async def test_a_provider_that_failed_is_left_alone_for_a_moment() -> None:
    provider = Listing(DOWN)
    models, clock = listed(provider)
    assert (await models.get(PATIENCE_S)).error == "connection_error"
    await models.get_new(PATIENCE_S)
    assert provider.asked == 1
    await models.refresh(PATIENCE_S)
    assert provider.asked == 2
    provider.listed = ["m"]
    clock.turn(RETRY_S)
    healed = await models.get_new(PATIENCE_S)
    assert (len(healed.models), healed.error, healed.cached) == (1, "", False)


async def test_a_provider_that_is_silent_is_waited_for_no_longer_than_said() -> None:
    provider = Listing(["m"])
    models, clock = listed(provider)
    provider.may_answer.clear()
    waiting = [await models.get(0), await models.get_new(0), await models.refresh(0)]
    assert [(len(listing.models), listing.refresh_time) for listing in waiting] == [(0, None)] * 3
    assert [listing.error for listing in waiting] == ["", "timeout_error", "timeout_error"]
    clock.turn(5)
    assert (await models.get(1)).models == ()  # the moment for waiting has passed
    await models.close()


async def test_a_provider_without_a_list_says_so_and_is_asked_seldom() -> None:
    provider = Listing(ProviderError(Fault.UNSUPPORTED, "None."))
    models, clock = listed(provider)
    listing = await models.get(PATIENCE_S)
    assert (listing.models, listing.refresh_time, listing.error, listing.cached) == ((), None, "unsupported", False)
    clock.turn(KEEP_S - 1)
    await models.get_new(PATIENCE_S)
    assert provider.asked == 1


async def test_a_provider_that_is_not_in_use_is_never_asked() -> None:
    models, _ = listed(None)
    for listing in (await models.get(PATIENCE_S), await models.get_new(PATIENCE_S), await models.refresh(PATIENCE_S)):
        assert (listing.models, listing.error) == ((), "not_in_use")


async def test_closing_ends_the_question() -> None:
    provider = Listing(["m"])
    models, _ = listed(provider)
    provider.may_answer.clear()
    await models.get(0)
    await models.close()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
