"""The one name by which all that lead to a model are counted: its alias, `PROVIDER/MODEL` and its plain name are one model.

It is the shortest, as `names.asked_name` gives it: the provider's own one, where a row of the provider's type serves that.
"""

from collections.abc import Iterable, Mapping, Sequence

from server.catalogue.names import asked_name, provider_name, serves
from server.config.provider_settings import ProviderSettings

_MOST_KNOWN = 10_000


class OwnNames:
    """Which names are one model, by the configuration alone: what providers list changes by itself.

    Args:
        rows: the enabled providers, in the file's order.
        aliases: other names of models.
    """

    def __init__(self, rows: Iterable[ProviderSettings] = (), aliases: Mapping[str, str] | None = None) -> None:
        self._rows = {row.name: row for row in rows}
        self._aliases = aliases or {}
        self._known: dict[str, str] = {}

    def of(self, model: str) -> str:
        """The model's own name; the same where nothing is known of it."""
        own = self._known.get(model)
        if own is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            own = self._known[model] = self._find(model)
        return own

    def all(self, model: str) -> Sequence[str]:
        """All names of a model, its own one first, whichever is given."""
        own = self.of(model)
        rows = self._rows.values()
        plain = {own, *(provider_name(row, own) for row in rows)}
        plain |= {name.removeprefix(f"{row.type}/") for row in rows for name in plain}
        prefixes = {prefix for row in rows for prefix in (row.name, row.type, f"{row.name}/{row.type}")}
        prefixed = (f"{prefix}/{name}" for prefix in prefixes for name in plain)
        others = {name for name in (*self._aliases, *plain, *prefixed) if self.of(name) == own}
        return own, *sorted(others - {own})

    def _find(self, model: str) -> str:
        """What a name leads to may have a shorter name yet, as another row serves it."""
        name, seen = self._aliases.get(model, model), set[str]()
        while name not in seen:
            seen.add(name)
            row = self._row(name)
            if row is None:
                break
            own = self._shortest(row, name)
            if self._aliases.get(own, own) != own:  # which leads elsewhere, and this does not
                return f"{row.name}/{own}"
            name = own
        return name

    def _row(self, name: str) -> ProviderSettings | None:
        """Who is asked for a name first."""
        prefix, _, rest = name.partition("/")
        addressed = self._rows.get(prefix) if rest else None
        return next((row for row in self._rows.values() if serves(row, name)), addressed)

    def _shortest(self, row: ProviderSettings, name: str) -> str:
        """The name of what a row is asked for, without who is asked where somebody of its type serves it so."""
        prefix, _, rest = name.partition("/")
        if rest and prefix in (row.name, row.type) and serves(row, rest):
            return rest
        model = provider_name(row, name)
        alike = (row, *(other for other in self._rows.values() if other.type == row.type and serves(other, model)))
        return min((asked_name(each, model) for each in alike), key=len)
