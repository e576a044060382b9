"""In which order the targets of a model are tried."""

import random
from collections.abc import Callable, Iterable, Sequence

from server.dispatch.router import Target
from server.providers.base import Operation

Price = Callable[[Target, Operation], int | None]
"""What requests of a kind cost there that are alike, in any unit; None: not known."""


class Strategy:
    """Orders targets by a configured strategy: those that are forced first, and those that should not be asked last.

    Args:
        name: `priority`, `weighted`, `least_latency`, `least_busy` or `cheapest`.
        price: what a target costs.
        chance: for weights.
    """

    def __init__(self, name: str, price: Price, chance: random.Random) -> None:
        self.name = name
        self._price = price
        self._chance = chance

    def order(self, targets: Sequence[Target], operation: Operation, now: float) -> Sequence[Target]:
        """The targets as they are to be tried now.

        Args:
            targets: a model's, by priority.
            operation: what they are asked for.
            now: monotonic seconds.
        """
        if len(targets) < 2:
            return targets
        ordered = sorted(self._ordered(targets, operation), key=lambda target: not target.settings.forced)
        return sorted(ordered, key=lambda target: target.state.standing(now))

    def _ordered(self, targets: Sequence[Target], operation: Operation) -> Iterable[Target]:
        match self.name:
            case "weighted":
                return sorted(targets, key=self._draw)
            case "least_latency":
                return sorted(targets, key=lambda target: target.state.time_to_first_chunk() or 0.0)
            case "least_busy":
                return sorted(targets, key=lambda target: target.state.in_flight / max(target.settings.weight, 1e-9))
            case "cheapest":
                return sorted(targets, key=lambda target: self._cost(target, operation))
            case _:
                return targets

    def _draw(self, target: Target) -> float:
        """A draw whose least is a target with a chance proportional to its weight: times of exponential races."""
        weight = target.settings.weight
        return self._chance.expovariate(weight) if weight > 0 else float("inf")

    def _cost(self, target: Target, operation: Operation) -> tuple[bool, int]:
        price = self._price(target, operation)
        return price is None, price or 0
