"""What one configuration amounts to: immutable, built whole, used by the services, replaced whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.catalogue.catalogue import Catalogue
from server.config import Loaded, ProviderSettings
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.health import Health, ProviderHealth
from server.dispatch.means import Means
from server.dispatch.router import Router
from server.providers.base import Operation
from trunkline.v1.models_service_pb2 import ProviderStatus

_STATUSES = {
    Health.HEALTHY: ProviderStatus.PROVIDER_STATUS_HEALTHY,
    Health.DEGRADED: ProviderStatus.PROVIDER_STATUS_DEGRADED,
    Health.UNHEALTHY: ProviderStatus.PROVIDER_STATUS_UNHEALTHY,
}


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A configured provider, whether it is in use or not.

    Attributes:
        settings: its row.
        operations: what it can do.
        lacks_key: whether its vendor wants a key and none is set.
        health: tells how it does now, by its name.
    """

    settings: ProviderSettings
    operations: frozenset[Operation]
    lacks_key: bool
    health: Callable[[str], Health]

    @property
    def usable(self) -> bool:
        """Whether asking it makes sense."""
        return self.settings.enabled and not self.lacks_key

    @property
    def status(self) -> ProviderStatus:
        """What is known of it now."""
        if not self.settings.enabled:
            return ProviderStatus.PROVIDER_STATUS_DISABLED
        return ProviderStatus.PROVIDER_STATUS_UNHEALTHY if self.lacks_key else _STATUSES[self.health(self.settings.name)]


@dataclass(frozen=True, slots=True)
class Runtime:
    """One configuration, built.

    Attributes:
        loaded: the configuration.
        start_time: since when it is in force, epoch seconds.
        generation: counts configurations since the start, from 1.
        rows: every configured provider by name, in the order in which they are tried.
        router: from models to targets.
        means: what dispatching shares.
        dispatcher: answers completions.
        health: how the providers do.
        catalogue: which models the providers have.
    """

    loaded: Loaded
    start_time: float
    generation: int
    rows: Mapping[str, ProviderRow]
    router: Router
    means: Means
    dispatcher: Dispatcher
    health: ProviderHealth
    catalogue: Catalogue
