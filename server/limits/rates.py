"""Rates: how many requests, and how many tokens, pass in a window. From settings to claims, from claims to headers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from server.catalogue.own_names import OwnNames
from server.config.provider_settings import ProviderSettings
from server.config.schema import LIMITED_PATHS, RateLimitSettings, ScopeLimitSettings
from server.errors import GatewayError
from server.limits.counters import Claim, Taken
from server.limits.request import MODEL, Request
from trunkline.v1.error_reason_pb2 import ErrorReason

_PROVIDERS_WINDOW_S = 60.0

Headers = tuple[int, int, int]
"""A window's limit, what is left of it, and the epoch second at which all of it is there again."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One limit for everybody of one scope, each counted alone.

    Attributes:
        key: how its counters' keys begin.
        scope: global, tenant, user, key or model.
        name: a pattern of those that it is for, of a model of any of its names; None: all.
        tokens: whether it counts tokens; else requests.
        limit: how much passes in a window.
        window_s: the window's length.
        burst: how much of it at once; 0: all.
    """

    key: str
    scope: str
    name: str | None
    tokens: bool
    limit: int
    window_s: float
    burst: int = 0

    def claim(self, request: Request, models: OwnNames) -> Claim | None:
        """What a request claims of it; None: it is not for this one."""
        whose = request.of(self.scope)
        if not whose and self.scope in ("tenant", "user"):
            return None
        if self.name is not None:
            names = models.all(whose) if self.scope == MODEL else (whose,)
            if not any(fnmatchcase(name, self.name) for name in names):
                return None
        amount = request.tokens if self.tokens else 1
        return Claim(self.key + whose, amount, self.limit, None, self.window_s, self.burst)


class Rates:
    """All rates of a configuration.

    Args:
        settings: None: nothing is limited.
        models: knows which names are one model.
    """

    def __init__(self, settings: RateLimitSettings | None, models: OwnNames) -> None:
        self._models = models
        self._rates: tuple[Rate, ...] = ()
        self._endpoints: dict[str, Rate] = {}
        if settings is not None and settings.enabled:
            self._rates = tuple(_rates(settings))
            self._endpoints = {
                name: Rate(f"rate:endpoint:{name}:", "key", None, False, limit, settings.window_seconds)
                for name, limit in settings.endpoints.items()
            }

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._rates)

    def claims(self, request: Request) -> list[Claim]:
        """What a request claims, requests and tokens alike."""
        if not self._rates:
            return []
        claims = [claim for rate in self._rates if (claim := rate.claim(request, self._models)) is not None]
        endpoint = self._endpoint(request) if self._endpoints else None
        claim = None if endpoint is None else endpoint.claim(request, self._models)
        return claims if claim is None else [*claims, claim]

    def _endpoint(self, request: Request) -> Rate | None:
        path = request.endpoint or LIMITED_PATHS.get(request.operation, "")
        return self._endpoints.get(path) or self._endpoints.get(request.operation)


def provider_claim(provider: ProviderSettings) -> Claim | None:
    """What an attempt claims of its provider's own rate, which is for a minute; None: the provider has none."""
    if provider.rate_limit is None:
        return None
    return Claim(f"rate:provider:{provider.name}", 1, provider.rate_limit, window_s=_PROVIDERS_WINDOW_S)


def is_of_tokens(claim: Claim) -> bool:
    """Whether a claim of a window is one of tokens."""
    return claim.key.startswith("rate:tokens:")


def find_headers(claims: Sequence[Claim], places: Sequence[int], taken: Taken, now: float) -> Headers | None:
    """What to tell of the window of requests that is nearest to its limit; None: there is none.

    Args:
        claims: what was claimed.
        places: which of them are of windows of requests.
        taken: what came of all.
        now: the time, epoch seconds.
    """
    nearest, share, left = None, 2.0, 0
    for place in places:
        claim, each = claims[place], taken.left[place]
        if each < share * claim.limit:
            nearest, share, left = claim, each / claim.limit, each
    return None if nearest is None else (nearest.limit, left, math.ceil(now + nearest.window_s))


def rate_limited(claim: Claim, wait_s: float | None, now: float) -> GatewayError:
    """The refusal of a claim.

    Args:
        claim: the one that did not fit.
        wait_s: in how many seconds it does; None: never, since it is more than a whole window takes.
        now: the time, epoch seconds.
    """
    metadata = {"limit": str(claim.limit), "remaining": "0", "reset": str(math.ceil(now + (wait_s or claim.window_s)))}
    what = "tokens" if is_of_tokens(claim) else "requests"
    if wait_s is None:
        text = f"This needs about {claim.amount} {what}, and no more than {claim.limit} pass in {claim.window_s:g} seconds."
    else:
        seconds = max(1, math.ceil(wait_s))
        text = f"The rate limit of {what} is reached. Try again in {seconds} second{'s' if seconds > 1 else ''}."
    return GatewayError(ErrorReason.ERROR_REASON_RATE_LIMITED, text, metadata, retry_after_s=wait_s)


def _rates(settings: RateLimitSettings) -> list[Rate]:
    own = ScopeLimitSettings(
        scope="key",
        requests_per_window=settings.requests_per_window,
        tokens_per_window=settings.tokens_per_window,
        burst_limit=settings.burst_limit,
    )
    rates: list[Rate] = []
    for row in (own, *settings.scopes):
        window_s = row.window_seconds or settings.window_seconds
        of = f"{row.scope}:{row.name or ''}:{window_s:g}:"
        if row.requests_per_window is not None:
            burst = row.burst_limit if row.burst_limit < row.requests_per_window else 0
            rates.append(Rate(f"rate:requests:{of}", row.scope, row.name, False, row.requests_per_window, window_s, burst))
        if row.tokens_per_window is not None:
            rates.append(Rate(f"rate:tokens:{of}", row.scope, row.name, True, row.tokens_per_window, window_s))
    return list({rate.key: rate for rate in rates}.values())
