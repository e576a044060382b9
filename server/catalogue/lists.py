"""One provider's own list of models, kept for a while.

Whoever asks while the provider is being asked joins; a provider that fails keeps its old list, and is left alone for a
moment.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from server.clock import Clock
from server.providers.base import ListedModel, Provider
from server.providers.errors import Fault, ProviderError

KEEP_S = 300.0
"""How long a list is new."""
RETRY_S = 30.0
"""How long a provider that failed is left alone, but for those who ask for a refresh."""
REFRESH_TIMEOUT_S = 15.0
"""How long a provider may take to give its list."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a provider's list.

    Attributes:
        models: the models; empty where it never gave any.
        refresh_time: when it gave them, epoch seconds; None: never.
        error: how the latest try failed, a word; empty: it did not.
        cached: whether the list was there before it was asked for.
    """

    models: Sequence[ListedModel] = ()
    refresh_time: float | None = None
    error: str = ""
    cached: bool = False


class ProviderList:
    """The list of one provider.

    Args:
        name: the provider's, for the log.
        provider: the provider; None: it is never asked, since it is turned off or has no key.
        clock: tells when a list is old.
    """

    def __init__(self, name: str, provider: Provider | None, clock: Clock) -> None:
        self._name = name
        self._provider = provider
        self._clock = clock
        self._known = Listing(error="" if provider is not None else "not_in_use")
        self._ask_again = -1.0 if provider is not None else float("inf")
        self._refresh: asyncio.Task[None] | None = None
        self._refresh_start = 0.0

    @property
    def known(self) -> Listing:
        """What is known now."""
        return replace(self._known, cached=self._known.refresh_time is not None)

    async def get(self, wait_s: float) -> Listing:
        """The list; an old one is asked for anew in the background, and one that never came is waited for.

        Args:
            wait_s: how long to wait, counted from when the provider was asked: those who come later wait less.
        """
        before = self._known
        if self._clock.monotonic() >= self._ask_again:
            self._begin()
        if self._refresh is not None and before.refresh_time is None:
            left_s = self._refresh_start + wait_s - self._clock.monotonic()
            await asyncio.wait([self._refresh], timeout=max(0.0, left_s))
        return self._since(before)

    async def get_new(self, wait_s: float) -> Listing:
        """The list; an old one is waited for as well, and stands where the provider does not answer in time."""
        before = self._known
        if self._clock.monotonic() >= self._ask_again:
            self._begin()
        return await self._ended(before, wait_s)

    async def refresh(self, wait_s: float) -> Listing:
        """The list, asked for now; the old one where the provider fails, with how it did."""
        before = self._known
        if self._provider is not None:
            self._begin()
        return await self._ended(before, wait_s)

    async def close(self) -> None:
        """Stops asking."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh])

    async def _ended(self, before: Listing, wait_s: float) -> Listing:
        """What is known once the running refresh, if there is one, has ended or was waited for long enough."""
        running = self._refresh
        if running is not None:
            await asyncio.wait([running], timeout=wait_s)
            if not running.done():
                return replace(self._since(before), error=Fault.TIMEOUT.error_type)
        return self._since(before)

    def _since(self, before: Listing) -> Listing:
        """What is known now, and whether it is what was known before."""
        now = self._known
        return replace(now, cached=now.refresh_time is not None and now.refresh_time == before.refresh_time)

    def _begin(self) -> None:
        if self._refresh is None:
            self._refresh_start = self._clock.monotonic()
            self._refresh = asyncio.ensure_future(self._ask())

    async def _ask(self) -> None:
        """Asks the provider. Whatever comes of it, the list stays usable."""
        error, again_s = "", KEEP_S
        log = structlog.get_logger("trunkline.catalogue")
        assert self._provider is not None
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT_S):
                models = tuple(await self._provider.models(REFRESH_TIMEOUT_S))
            self._known = Listing(models, self._clock.now())
        except ProviderError as failure:
            error = failure.fault.error_type
            again_s = KEEP_S if failure.fault is Fault.UNSUPPORTED else RETRY_S
        except TimeoutError:
            error, again_s = Fault.TIMEOUT.error_type, RETRY_S
        except Exception as fault:  # a list that makes no sense must not take the others with it
            error, again_s = Fault.PROTOCOL.error_type, RETRY_S
            log.error("model_list_fault", provider=self._name, exc_info=fault)
        finally:
            self._refresh = None
        self._ask_again = self._clock.monotonic() + again_s
        if error:
            self._known = replace(self._known, error=error)
        if error and error != Fault.UNSUPPORTED.error_type:
            log.warning("model_list_not_refreshed", provider=self._name, error_type=error)
