"""From the name of a model to the targets that may serve it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from server.caller import ANONYMOUS, Caller
from server.catalogue.names import provider_name, serves
from server.config.provider_settings import ProviderSettings
from server.config.schema import CircuitBreakerSettings, RoutingSettings
from server.dispatch.standing import TargetState, TargetStates
from server.errors import GatewayError
from server.providers.base import Provider
from server.tenancy.allowances import may_use, may_use_provider, require_fallback, require_model, require_provider
from trunkline.v1.error_reason_pb2 import ErrorReason

_MOST_ROUTES = 10_000
"""How many models' routes are kept; those of others are found at each request."""


@dataclass(frozen=True, slots=True)
class Target:
    """A provider, and its name of the model.

    Attributes:
        provider: the provider.
        settings: the provider's row.
        model: what to send as the model.
        state: what is known of it from earlier tries.
    """

    provider: Provider
    settings: ProviderSettings
    model: str
    state: TargetState = field(compare=False, repr=False)


_Groups = tuple[tuple[Target, ...], ...]
"""Models in order, each as its targets."""


@dataclass(frozen=True, slots=True)
class Row:
    """An enabled provider that a router may choose.

    Attributes:
        settings: its row of the configuration.
        provider: the provider.
    """

    settings: ProviderSettings
    provider: Provider


@dataclass(frozen=True, slots=True)
class Route:
    """Where a model leads.

    Attributes:
        model: the model's name, without aliases.
        targets: those of the model, by the rows' order.
        fallbacks: for when they fail, by model: the configured models and their targets, in order.
        larger: for when the prompt is too long, likewise.
    """

    model: str
    targets: tuple[Target, ...]
    fallbacks: _Groups = ()
    larger: _Groups = ()


class Router:
    """The table from models to targets.

    A model is served by the rows that list it, or a pattern that it matches; `PROVIDER/MODEL` asks that provider alone. Rows
    that are forced come first, then the lower priority, then the file's order.

    Args:
        rows: the enabled providers, in the file's order.
        settings: aliases and fallbacks.
        states: the targets' records.
        name: what a row's provider calls a model that a caller asked for.
        priority: a provider's priority where it was changed since the file was read; None: it was not.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        settings: RoutingSettings | None = None,
        states: TargetStates | None = None,
        name: Callable[[ProviderSettings, str], str] = provider_name,
        priority: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._settings = settings or RoutingSettings()
        self._states = states or TargetStates(CircuitBreakerSettings())
        self._name = name
        self._priority = priority
        self._given = tuple(rows)
        self._rows: list[Row] = []
        self.rows: Mapping[str, Row] = {row.settings.name: row for row in rows}
        """The rows by name."""
        self._routes: dict[str, Route] = {}
        self.refresh()

    @property
    def aliases(self) -> Mapping[str, str]:
        """Other names of models."""
        return self._settings.aliases

    def refresh(self) -> None:
        """Reads the priorities again."""
        self._rows = sorted(self._given, key=lambda row: (not row.settings.forced, self.priority(row.settings)))
        self._routes.clear()
        for model in {model for row in self._rows for model in row.settings.models if "*" not in model}:
            self._routes[model] = self._route(model)

    def priority(self, settings: ProviderSettings) -> int:
        """The priority of a row in force."""
        changed = self._priority(settings.name)
        return settings.priority if changed is None else changed

    def route(self, model: str, caller: Caller) -> Route:
        """Where a model leads.

        Args:
            model: as asked for.
            caller: who asks; what this one may not use is left out.

        Raises:
            GatewayError: MODEL_NOT_FOUND when nobody serves it; INSUFFICIENT_PERMISSIONS when the caller may not use it, or
                no provider of it, or none of its fallbacks where it has nothing else.
        """
        route = self._known(self._settings.aliases.get(model, model))
        if not route.targets and not any(route.fallbacks):
            raise GatewayError(
                ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
                f"No provider serves the model `{model}`.",
                metadata={"model": model, "param": "model"},
            )
        if caller.models:
            require_model(caller, model, route.model)
            if route.fallbacks or route.larger:
                route = self._of_models(route, model, caller)
        return _of_providers(route, model, caller) if caller.providers else route

    def targets(self, model: str, caller: Caller) -> tuple[Target, ...]:
        """The targets of a model, the first choice first; those of its first fallback where it has none itself.

        Raises:
            GatewayError: as `route`.
        """
        route = self.route(model, caller)
        return route.targets or route.fallbacks[0]

    def _known(self, model: str) -> Route:
        """Where a model leads that is no alias, for a caller without bounds."""
        route = self._routes.get(model)
        if route is None:
            route = self._route(model)
            if route.targets and len(self._routes) < _MOST_ROUTES:
                self._routes[model] = route
        return route

    def _route(self, model: str) -> Route:
        fallbacks, larger = self._others(model, ANONYMOUS, self._find)
        return Route(model, self._find(model), fallbacks, larger)

    def _of_models(self, route: Route, model: str, caller: Caller) -> Route:
        """A route without the fallbacks and larger models that a caller may not ask for.

        Raises:
            GatewayError: INSUFFICIENT_PERMISSIONS when none is left of a model that has nothing else.
        """
        fallbacks, larger = self._others(route.model, caller, lambda name: self._known(name).targets)
        if not route.targets:
            require_fallback(model, fallbacks)
        return replace(route, fallbacks=fallbacks, larger=larger)

    def _others(self, model: str, caller: Caller, find: Callable[[str], tuple[Target, ...]]) -> Sequence[_Groups]:
        """A model's fallbacks and larger models that a caller may ask for, as `Route` has them.

        Args:
            model: the model, no alias.
            caller: who asks.
            find: the targets of a model that is no alias.
        """
        aliases = self._settings.aliases

        def groups(table: Mapping[str, Sequence[str]]) -> _Groups:
            names = (name for name in table.get(model, ()) if may_use(caller, name, aliases.get(name, "")))
            return tuple(targets for name in names if (targets := find(aliases.get(name, name))))

        return groups(self._settings.fallbacks), groups(self._settings.context_window_fallbacks)

    def _find(self, model: str) -> tuple[Target, ...]:
        found = tuple(self._target(row, model) for row in self._rows if serves(row.settings, model))
        if found:
            return found
        name, _, rest = model.partition("/")
        addressed = self.rows.get(name)
        return (self._target(addressed, model),) if addressed and rest else ()

    def _target(self, row: Row, asked: str) -> Target:
        model = self._name(row.settings, asked)
        return Target(row.provider, row.settings, model, self._states.of(row.settings.name, model))


def _of_providers(route: Route, model: str, caller: Caller) -> Route:
    """A route without the providers that may not be asked for a caller.

    Raises:
        GatewayError: INSUFFICIENT_PERMISSIONS when none is left.
    """
    groups = (route.targets, *route.fallbacks)
    require_provider(caller, model, [target.settings.name for group in groups for target in group])

    def of(targets: Sequence[Target]) -> tuple[Target, ...]:
        return tuple(target for target in targets if may_use_provider(caller, target.settings.name))

    def lists(groups: _Groups) -> _Groups:
        return tuple(targets for group in groups if (targets := of(group)))

    return replace(route, targets=of(route.targets), fallbacks=lists(route.fallbacks), larger=lists(route.larger))
