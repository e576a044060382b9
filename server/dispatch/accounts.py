"""What completions are allowed, and what comes of them: limits and ledger, asked before and told after."""

from collections.abc import Callable, Sequence

import structlog

from server.call import Call
from server.config.provider_settings import ProviderSettings
from server.dispatch.account import Account
from server.dispatch.attempt import Attempt
from server.dispatch.books import Books
from server.dispatch.cohort import Cohort
from server.dispatch.failure import Failure
from server.dispatch.router import Target
from server.dispatch.told import Told
from server.providers.base import Ask


class Accounts:
    """Opens an account for each completion.

    Args:
        books: what all of them share; its own from now on.
    """

    def __init__(self, books: Books) -> None:
        self._limits = books.limits
        self._books = books
        self._opening = Cohort(self._open_together)
        self._ending = Cohort(self._end_together, self._left)

    async def open(
        self, ask: Ask, call: Call, target: Target, tried: Sequence[Attempt | Failure], told: Told | None
    ) -> Account:
        """Holds back what a request may use, and writes its intent.

        Args:
            ask: the request.
            call: its call.
            target: who is asked first, whose price counts.
            tried: the attempts; it grows.
            told: what the caller has of a stream; None: it is none.

        Raises:
            GatewayError: RATE_LIMITED, QUOTA_EXCEEDED, BUDGET_EXCEEDED; OVERLOADED.
        """
        books = self._books
        account = Account(books, self._ending, ask, call, target, tried, told, books.now())
        if books.ledger is None and self._limits.idle:
            return account
        try:
            if books.at_once:
                account.together = True
                await self._opening.join(account)
            await account.open()
        except BaseException:
            account.abandon()
            raise
        return account

    async def claim(self, provider: ProviderSettings) -> float | None:
        """Claims an attempt of a provider's own rate. None: it may be made; else in how many seconds it may."""
        return await self._limits.claim_provider(provider)

    def stop(self) -> None:
        """Says that what still runs is cut off, as the gateway stops."""
        self._books.stopped = True

    async def close(self) -> None:
        """Waits until all accounts are closed."""
        self._ending.finish()
        await self._books.close()

    def _open_together(self, accounts: Sequence[Account]) -> list[Exception | None]:
        """Opens accounts as far as nothing has to be waited for; gives what is wrong with each."""
        faults = {account: _fault(account.ask) for account in accounts}
        asking = [account for account in accounts if faults[account] is None]
        outcomes = self._limits.reserve_at_once([account.asked for account in asking])
        for account, outcome in zip(asking, outcomes, strict=True):
            if isinstance(outcome, Exception):
                faults[account] = outcome
            elif outcome is not None:
                faults[account] = _fault(account.grant, outcome)
        ledger = self._books.ledger
        intents = [account.intent for account in asking if account.intent is not None]
        if intents and ledger is not None and ledger.intend_at_once(intents):
            for account in asking:
                account.written = account.intent is not None
        return list(faults.values())

    def _end_together(self, accounts: Sequence[Account]) -> list[Exception | None]:
        """Closes accounts of whole answers as far as nothing has to be waited for; gives what is wrong with each."""
        faults = [_fault(account.end_whole) for account in accounts]
        ended = [account for account, fault in zip(accounts, faults, strict=True) if fault is None]
        owed = [account.owed for account in ended if account.owed is not None]
        ledger = self._books.ledger
        settlements = [each.settlement for each in owed if each.settlement is not None]
        if settlements and ledger is not None:
            if not ledger.settle_at_once(settlements):
                return faults
            for each in owed:
                each.settlement = None
        used = [(each.reservation, each.tokens, each.micros) for each in owed if each.reservation is not None]
        if self._limits.settle_at_once(used):
            for account in ended:
                account.owed = None
        return faults

    def _left(self, account: Account, fault: Exception | None) -> None:
        """Closes the account of somebody who has left, as far as it is not closed."""
        if fault is not None:
            structlog.get_logger("trunkline.ledger").error("account_not_closed", exc_info=fault)
        if account.owed is not None:
            self._books.later(account.settle())


def _fault(work: Callable[..., None], *args: object) -> Exception | None:
    """What it fails with; None: it does not. No frame that the exception leads to knows it, so no cycle is left of it."""
    try:
        work(*args)
    except Exception as error:
        return error
    return None
