"""Where a request would go, and why not elsewhere. Nobody is asked, and nothing changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from server.config.provider_settings import ProviderSettings
from server.dispatch.failure import operation_name
from server.dispatch.means import Means
from server.dispatch.router import Route, Target
from server.dispatch.standing import Standing
from server.providers.base import Operation

_STANDINGS = {
    Standing.READY: "",
    Standing.DEGRADED: "many of its last requests failed",
    Standing.UNHEALTHY: "its health checks fail",
    Standing.RESTING: "it said when to come back",
    Standing.FULL: "it has as much work as it takes",
    Standing.OPEN: "its circuit breaker is open",
}
MODEL, FALLBACK, LARGER = "model", "fallback", "context_window_fallback"


@dataclass(frozen=True, slots=True)
class Step:
    """One target, or one provider that is none.

    Attributes:
        settings: the provider's row.
        model: what it would be sent as the model; empty for a provider that is no target.
        place: when it is tried, from 1; 0: it is not.
        why: `model`, `fallback` or `context_window_fallback`: what it would be tried for; empty for no target.
        reason: why it is not tried, or later than its order says; empty: nothing speaks against it.
        target: its record's owner; None for a provider that is no target.
    """

    settings: ProviderSettings
    model: str
    place: int
    why: str
    reason: str
    target: Target | None = None


def explain(
    means: Means, rows: Mapping[str, ProviderSettings], keyless: frozenset[str], route: Route, operation: Operation
) -> Sequence[Step]:
    """The targets in the order in which they would be tried now, then whoever would not be.

    Args:
        means: what dispatching shares.
        rows: every configured provider by name, disabled ones too.
        keyless: those without the key that their vendor wants.
        route: where the model leads.
        operation: what would be asked.
    """
    now = means.clock.monotonic()
    groups = [(MODEL, route.targets), *((FALLBACK, targets) for targets in route.fallbacks)]
    tried: list[Step] = []
    not_tried: list[Step] = []
    for why, targets in groups:
        for target in means.strategy.order(targets, operation, now):
            standing = target.state.standing(now)
            if operation not in target.provider.operations:
                reason = f"it has no {operation_name(operation)}"
                not_tried.append(Step(target.settings, target.model, 0, why, reason, target))
            elif standing >= Standing.FULL:
                not_tried.append(Step(target.settings, target.model, 0, why, _STANDINGS[standing], target))
            else:
                reason = "it has no key" if target.settings.name in keyless else _STANDINGS[standing]
                tried.append(Step(target.settings, target.model, 1, why, reason, target))
    tried.sort(key=lambda step: _rests(step, now))
    tried = [replace(step, place=place) for place, step in enumerate(tried, 1)]
    if not tried and (last := next((step for step in not_tried if _open(step, now)), None)) is not None:
        not_tried.remove(last)
        tried.append(Step(last.settings, last.model, 1, last.why, f"{last.reason}, but nobody else is left", last.target))
    for targets in route.larger:
        reason = "only when the prompt is too long for the others"
        not_tried += [Step(target.settings, target.model, 0, LARGER, reason, target) for target in targets]
    named = {step.settings.name for step in (*tried, *not_tried)}
    for name, settings in rows.items():
        if name not in named:
            reason = "it does not serve the model" if settings.enabled else "it is disabled"
            not_tried.append(Step(settings, "", 0, "", reason))
    return [*tried, *not_tried]


def _rests(step: Step, now: float) -> bool:
    """Whether a step comes after those of other models, because its target should rather not be asked."""
    return step.target is not None and step.target.state.standing(now) > Standing.DEGRADED


def _open(step: Step, now: float) -> bool:
    return step.target is not None and step.target.state.standing(now) is Standing.OPEN
