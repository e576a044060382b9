"""From the name of a model to the targets that may serve it, in the order in which they are tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from server.config.provider_settings import ProviderSettings
from server.errors import GatewayError
from server.providers.base import Provider
from trunkline.v1.error_reason_pb2 import ErrorReason


@dataclass(frozen=True, slots=True)
class Target:
    """A provider, and its name of the model.

    Attributes:
        provider: the provider.
        settings: the provider's row.
        model: what to send as the model.
    """

    provider: Provider
    settings: ProviderSettings
    model: str


class Router:
    """The table from models to targets.

    A model is served by the rows that list it, or a pattern that it matches; `PROVIDER/MODEL` asks that provider alone. Rows
    that are forced come first, then the lower priority, then the file's order.

    Args:
        providers: the enabled rows with their providers, in the file's order.
        aliases: other names of models.
    """

    def __init__(
        self, providers: Sequence[tuple[ProviderSettings, Provider]], aliases: Mapping[str, str] | None = None
    ) -> None:
        self._rows = sorted(providers, key=lambda row: (not row[0].forced, row[0].priority))
        self._by_name = {settings.name: (settings, provider) for settings, provider in self._rows}
        self._aliases = dict(aliases or {})
        self._targets: dict[str, tuple[Target, ...]] = {}
        for model in {model for settings, _ in self._rows for model in settings.models if "*" not in model}:
            self._targets[model] = self._find(model)

    def targets(self, model: str) -> tuple[Target, ...]:
        """The targets of a model, first choice first.

        Raises:
            GatewayError: MODEL_NOT_FOUND when there is none.
        """
        name = self._aliases.get(model, model)
        targets = self._targets.get(name) or self._find(name)
        if not targets:
            raise GatewayError(
                ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
                f"No provider serves the model `{model}`.",
                metadata={"model": model, "param": "model"},
            )
        return targets

    def _find(self, model: str) -> tuple[Target, ...]:
        found = tuple(
            Target(provider, settings, model)
            for settings, provider in self._rows
            if any(model == served or ("*" in served and fnmatchcase(model, served)) for served in settings.models)
        )
        if found:
            return found
        name, _, rest = model.partition("/")
        addressed = self._by_name.get(name)
        return (Target(addressed[1], addressed[0], rest),) if addressed and rest else ()
