"""What all requests of a configuration share while they are dispatched."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from server.catalogue.selections import NO_DEFAULTS, Defaults
from server.clock import Clock
from server.config.schema import RoutingSettings
from server.dispatch.accounts import Accounts
from server.dispatch.affinity import Affinity
from server.dispatch.gate import Gate
from server.dispatch.retry import RetryBudget
from server.dispatch.router import Router, Target
from server.dispatch.strategies import Strategy
from server.dispatch.watchdog import Watch
from server.policies.chaos import Chaos


def _no_defaults(_: Target) -> Defaults:
    return NO_DEFAULTS


def _unknown(_: Target) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Means:
    """What all requests share.

    Attributes:
        router: from models to targets.
        routing: the configured ways.
        strategy: orders targets.
        clock: tells the time.
        chance: for back-off and weights.
        gate: how much work there may be at once.
        budget: how many retries and hedges there may be.
        watch: looks after the waits for providers.
        affinity: who holds the thoughts of a tool loop.
        window: how many tokens a target's prompt may have; None: not known.
        defaults: what a target's requests get where they say nothing.
        accounts: limits and ledger; None: nothing is limited or written.
        chaos: trouble made on purpose; None: there is none.
    """

    router: Router
    routing: RoutingSettings
    strategy: Strategy
    clock: Clock
    chance: random.Random = field(default_factory=random.Random)
    gate: Gate = field(default_factory=lambda: Gate(2**31))
    budget: RetryBudget = field(default_factory=RetryBudget)
    watch: Watch = field(default_factory=Watch)
    affinity: Affinity = field(default_factory=Affinity)
    window: Callable[[Target], int | None] = _unknown
    defaults: Callable[[Target], Defaults] = _no_defaults
    accounts: Accounts | None = None
    chaos: Chaos | None = None

    def hedge_delay_s(self, model: str) -> float | None:
        """How late a model's first chunk may be before another target is asked, too; None: for ever."""
        hedging = self.routing.hedging
        if hedging is None or not hedging.enabled:
            return None
        return hedging.delay_s if any(fnmatchcase(model, pattern) for pattern in hedging.models) else None
