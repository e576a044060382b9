"""What takes a provider several calls: a time for all of them together, and lists that come page by page."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from server.providers.errors import Fault, ProviderError

_MOST_PAGES = 50
"""A vendor that has more pages than that repeats itself."""

T = TypeVar("T")


@asynccontextmanager
async def within(timeout_s: float | None) -> AsyncIterator[None]:
    """Bounds several calls as one.

    Raises:
        ProviderError: TIMEOUT.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.") from None


async def all_pages(read: Callable[[str], Awaitable[tuple[Iterable[T], str]]]) -> list[T]:
    """What is on all pages of a list of models.

    Args:
        read: asks for the page that a token stands for, the first one's being empty; gives what is on it, and the token of
            the next one, empty at the last.

    Raises:
        ProviderError: PROTOCOL when the list does not end; what `read` raises.
    """
    found: list[T] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page, token = await read(token)
        found.extend(page)
        if not token:
            return found
    raise ProviderError(Fault.PROTOCOL, "The provider's list of models does not end.")
