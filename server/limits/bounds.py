"""Which rates, quotas and budgets the requests of one asker count in: found once, and kept for the requests to come."""

from collections.abc import Sequence

from server.limits.allowances import Allowances, Due
from server.limits.counters import Change, Claim
from server.limits.rates import Rates, is_of_tokens
from server.limits.request import Request

_FOREVER = 1 << 62
_MOST_ASKERS = 10_000


class Bounds:
    """What counts the requests of one asker, a caller with an operation and a model.

    Args:
        rates: all of them.
        allowances: all of them.
        request: one of the asker's, by its model's own name.
        time: when it begins, in microseconds since the epoch.

    Attributes:
        allowances: as given.
        dues: the quotas and budgets.
        of_requests: which of the claims are of windows of requests.
        most_together: how many requests may claim together: of a burst no more than it has room for.
        rate_count: how many are of windows at all: the first ones.
    """

    __slots__ = (
        "_claims",
        "_end",
        "_of_tokens",
        "_rates",
        "_start",
        "allowances",
        "dues",
        "most_together",
        "of_requests",
        "rate_count",
    )

    def __init__(self, rates: Rates, allowances: Allowances, request: Request, time: int) -> None:
        claims = self._claims = rates.claims(request)
        self._rates = rates
        self.allowances = allowances
        self.dues: Sequence[Due] = allowances.of(request, time)
        self.rate_count = len(claims)
        self._of_tokens = [place for place, claim in enumerate(claims) if is_of_tokens(claim)]
        self.of_requests = [place for place in range(len(claims)) if place not in self._of_tokens]
        self.most_together = min((claim.burst for claim in claims if claim.burst), default=_FOREVER)
        self._start = max((due.span.start for due in self.dues), default=0)
        self._end = min((due.span.end or _FOREVER for due in self.dues), default=_FOREVER)

    def hold(self, rates: Rates, allowances: Allowances, time: int) -> bool:
        """Whether they are what would be found now."""
        return self._start <= time < self._end and self.allowances is allowances and self._rates is rates

    def claims(self, requests: Sequence[Request]) -> list[Claim]:
        """What requests of the asker's claim together: of windows first, as they are configured, then of the dues.

        Windows are claimed what is expected. Of dues all is claimed that a request may use, so that those to come see it;
        there has to be no more than is expected: what one alone uses beyond that is all by which a due may be exceeded.
        """
        claims = self._claims.copy()
        if self._of_tokens or len(requests) > 1:
            tokens = sum([request.tokens for request in requests])
            for place, claim in enumerate(claims):
                amount = tokens if place in self._of_tokens else len(requests)
                if amount != claim.amount:
                    claims[place] = Claim(claim.key, amount, claim.limit, None, claim.window_s, claim.burst)
        if self.dues:
            most_tokens = most_micros = needed_tokens = needed_micros = 0
            for request in requests:
                needed_tokens = max(needed_tokens, most_tokens + request.tokens)
                needed_micros = max(needed_micros, most_micros + request.micros)
                most_tokens += request.most_tokens
                most_micros += request.most_micros
            for due in self.dues:
                claims.append(due.claim(most_tokens, most_micros, needed_tokens, needed_micros))
        return claims

    def changes(
        self, marks: Sequence[int], unexpected_tokens: int, tokens: int, micros: int, over_tokens: int, over_micros: int
    ) -> list[Change]:
        """What makes what was claimed what was used; those of the dues come last.

        Args:
            marks: of each claim, what it was granted of.
            unexpected_tokens: how many more were used than expected.
            tokens: how many were used.
            micros: what they cost.
            over_tokens: how many more than they might be.
            over_micros: likewise.
        """
        changes: list[Change] = []
        if unexpected_tokens:
            for place in self._of_tokens:
                claim = self._claims[place]
                changes.append(Change(claim.key, unexpected_tokens, marks[place], 0, claim.window_s))
        for place, due in enumerate(self.dues, self.rate_count):
            changes.append(due.correction(tokens, micros, over_tokens, over_micros, marks[place]))
        return changes


class KnownBounds:
    """The bounds of those who asked lately."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Bounds] = {}

    def of(self, rates: Rates, allowances: Allowances, request: Request, time: int) -> Bounds:
        """The bounds of a request that begins at a time, as rates and allowances are now."""
        caller = request.caller
        asker = (
            caller.tenant_id,
            caller.user_id,
            caller.key_id or caller.name,
            request.operation,
            request.endpoint,
            request.model,
        )
        bounds = self._known.get(asker)
        if bounds is None or not bounds.hold(rates, allowances, time):
            if len(self._known) >= _MOST_ASKERS:
                self._known.clear()
            bounds = self._known[asker] = Bounds(rates, allowances, request, time)
        return bounds
