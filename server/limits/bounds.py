"""Which rates, quotas and budgets the requests of one asker count in: found once, and kept for the requests to come."""

from collections.abc import Sequence

from server.limits.allowances import Allowances, Due
from server.limits.counters import Claim
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
        of_tokens: which are of windows of tokens.
        rate_count: how many are of windows at all: the first ones.
    """

    __slots__ = ("_claims", "_end", "_rates", "_start", "allowances", "dues", "of_requests", "of_tokens", "rate_count")

    def __init__(self, rates: Rates, allowances: Allowances, request: Request, time: int) -> None:
        claims = self._claims = rates.claims(request)
        self._rates = rates
        self.allowances = allowances
        self.dues: Sequence[Due] = allowances.of(request, time)
        self.rate_count = len(claims)
        self.of_tokens = [place for place, claim in enumerate(claims) if is_of_tokens(claim)]
        self.of_requests = [place for place in range(len(claims)) if place not in self.of_tokens]
        self._start = max((due.span.start for due in self.dues), default=0)
        self._end = min((due.span.end or _FOREVER for due in self.dues), default=_FOREVER)

    def hold(self, rates: Rates, allowances: Allowances, time: int) -> bool:
        """Whether they are what would be found now."""
        return self._start <= time < self._end and self.allowances is allowances and self._rates is rates

    def claims(self, request: Request) -> list[Claim]:
        """What a request of the asker's claims: of windows first, as they are configured, then of the dues."""
        claims, tokens = self._claims.copy(), request.tokens
        for place in self.of_tokens:
            claim = claims[place]
            claims[place] = Claim(claim.key, tokens, claim.limit, None, claim.window_s, claim.burst)
        for due in self.dues:
            claims.append(due.claim(request))
        return claims


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
