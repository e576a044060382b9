"""What one configuration amounts to: immutable, built whole, used by the services, replaced whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from server.catalogue.catalogue import Catalogue
from server.config import Loaded, ProviderSettings
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.router import Router
from server.providers.base import Operation
from trunkline.v1.models_service_pb2 import ProviderStatus


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A configured provider, whether it is in use or not.

    Attributes:
        settings: its row.
        operations: what it can do.
        lacks_key: whether its vendor wants a key and none is set.
    """

    settings: ProviderSettings
    operations: frozenset[Operation]
    lacks_key: bool

    @property
    def usable(self) -> bool:
        """Whether asking it makes sense."""
        return self.settings.enabled and not self.lacks_key

    @property
    def status(self) -> ProviderStatus:
        """What is known of it without asking it."""
        if not self.settings.enabled:
            return ProviderStatus.PROVIDER_STATUS_DISABLED
        return ProviderStatus.PROVIDER_STATUS_UNHEALTHY if self.lacks_key else ProviderStatus.PROVIDER_STATUS_HEALTHY


@dataclass(frozen=True, slots=True)
class Runtime:
    """One configuration, built.

    Attributes:
        loaded: the configuration.
        start_time: since when it is in force, epoch seconds.
        generation: counts configurations since the start, from 1.
        rows: every configured provider by name, in the order in which they are tried.
        router: from models to targets.
        dispatcher: answers completions.
        catalogue: which models the providers have.
    """

    loaded: Loaded
    start_time: float
    generation: int
    rows: Mapping[str, ProviderRow]
    router: Router
    dispatcher: Dispatcher
    catalogue: Catalogue
