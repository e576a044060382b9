"""What operators selected for providers, beside the configuration: a model, with what its requests get by default.

Pure values: who answers requests asks `defaults` for what a request leaves open, and `priority` for a provider's place in
the order; who keeps them is in selection_file.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected for one provider.

    Attributes:
        model: the provider's name of the model.
        editable: whether it may be changed.
        priority: the provider's place in the order; None: its row's.
        max_tokens: how many tokens an answer may have where the request says nothing; None: the provider's default.
        temperature: where the request says nothing; None: the provider's default.
        update_time: when it was last changed, epoch seconds.
    """

    model: str
    editable: bool = True
    priority: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    update_time: float = 0.0


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a chat or text request gets where it says nothing itself; None: nothing.

    Attributes:
        max_tokens: for requests with neither `max_tokens` nor `max_completion_tokens`.
        temperature: for requests without one.
    """

    max_tokens: int | None = None
    temperature: float | None = None


NO_DEFAULTS = Defaults()


class Selections:
    """The selections in force. Immutable.

    Args:
        by_provider: each provider's.
    """

    def __init__(self, by_provider: Mapping[str, Selection] | None = None) -> None:
        self._by_provider = dict(by_provider or {})

    def of(self, provider: str) -> Selection | None:
        """A provider's selection; None: there is none."""
        return self._by_provider.get(provider)

    def defaults(self, provider: str, model: str) -> Defaults:
        """What requests get that reach a provider for a model and leave it open.

        Args:
            provider: the provider's name.
            model: the provider's own name of the model, as it is sent.
        """
        selection = self._by_provider.get(provider)
        if selection is None or selection.model != model:
            return NO_DEFAULTS
        return Defaults(selection.max_tokens, selection.temperature)

    def priority(self, provider: str) -> int | None:
        """The provider's place in the order, which takes the place of its row's `priority`; None: the row's holds."""
        selection = self._by_provider.get(provider)
        return None if selection is None else selection.priority

    def __iter__(self) -> Iterator[tuple[str, Selection]]:
        return iter(self._by_provider.items())

    def having(self, provider: str, selection: Selection | None) -> "Selections":
        """These, with another selection for one provider; None: with none for it."""
        others = {name: each for name, each in self._by_provider.items() if name != provider}
        return Selections(others if selection is None else {**others, provider: selection})
