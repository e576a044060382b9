"""Every provider's models: what the configuration names, what providers list, and what is known of each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from server.catalogue.facts import NOTHING, FactsTable, ModelFacts, listed_facts
from server.catalogue.lists import REFRESH_TIMEOUT_S, Listing, ProviderList
from server.catalogue.names import asked_name, has_patterns, provider_name, served_names, serves
from server.clock import Clock
from server.config.provider_settings import ProviderSettings
from server.providers.base import ListedModel, Operation, Provider
from server.providers.errors import Fault

LIST_WAIT_S = 1.0
"""How long the list of all models waits for a provider that never gave its own."""

_LISTS_WHAT_COULD_BE = "azure_openai"
"""Its list has the models that could be deployed; those that are stand in the row's `deployments`."""
_MOST_KNOWN = 4096
"""How many models' facts are remembered at once."""
_TELLING = (
    ("embed", Operation.EMBEDDINGS),
    ("image", Operation.IMAGES),
    ("dall-e", Operation.IMAGES),
    ("video", Operation.VIDEOS),
    ("sora", Operation.VIDEOS),
    ("whisper", None),
    ("tts", None),
    ("transcribe", None),
    ("moderation", None),
    ("realtime", None),
    ("rerank", None),
)
"""Parts of names in lower case, and what models with such a name do; None: nothing that this gateway offers."""


@dataclass(frozen=True, slots=True)
class Source:
    """One configured provider.

    Attributes:
        settings: its row.
        operations: what it can do.
        provider: what to ask; None: it is turned off or has no key, and is not asked.
    """

    settings: ProviderSettings
    operations: frozenset[Operation]
    provider: Provider | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A model as one provider serves it.

    Attributes:
        name: what a caller asks for.
        model: what the provider is asked for.
        provider: the provider's name.
        facts: what is known of it.
        created: epoch seconds; None: not known.
        owned_by: who made it; empty: not known.
    """

    name: str
    model: str
    provider: str
    facts: ModelFacts
    created: int | None = None
    owned_by: str = ""


class Catalogue:
    """The models of one configuration. Close it in the loop that it was asked in.

    Args:
        sources: the providers.
        table: what is known of models.
        clock: tells when a provider's list is old.
    """

    def __init__(self, sources: Sequence[Source], table: FactsTable, clock: Clock) -> None:
        self._sources = {source.settings.name: source for source in sources}
        self._lists = {name: ProviderList(name, source.provider, clock) for name, source in self._sources.items()}
        self._table = table
        self._made: dict[tuple[str, str], tuple[Sequence[ListedModel], str, Sequence[Entry]]] = {}
        self._known: dict[tuple[str, str], tuple[Sequence[ListedModel], ModelFacts]] = {}

    async def models(self) -> list[Entry]:
        """The models that can be asked for by name, of all providers that are in use.

        Only providers that alone can tell are asked, all at once, and none is waited for longer than LIST_WAIT_S.
        """
        names = [name for name, source in self._sources.items() if source.settings.enabled]
        listings = await asyncio.gather(*(self._listing(name) for name in names))
        return [entry for name, listing in zip(names, listings, strict=True) for entry in self._served(name, listing)]

    async def provider_models(self, provider: str) -> tuple[Sequence[Entry], Listing]:
        """All models of one provider, by its names for them, from its list, which is asked for where it is old.

        Raises:
            KeyError: there is no such provider.
        """
        listing = await self._lists[provider].get_new(REFRESH_TIMEOUT_S)
        return self._all(provider, listing), listing

    async def refresh(self, provider: str) -> tuple[Sequence[Entry], Listing]:
        """All models of one provider, which is asked for its list now; as `provider_models`."""
        listing = await self._lists[provider].refresh(REFRESH_TIMEOUT_S)
        return self._all(provider, listing), listing

    async def find(self, provider: str, name: str) -> Entry | None:
        """One model of one provider, by either of its names; None: it has none of that name.

        Raises:
            KeyError: there is no such provider.
        """
        entries, listing = await self.provider_models(provider)
        for entry in entries:
            if entry.model == name:
                return entry
        settings = self._sources[provider].settings
        model = provider_name(settings, name, self.listed(provider))
        by_model = next((entry for entry in entries if entry.model == model), None)
        if by_model is None and listing.refresh_time is None and serves(settings, name):
            return self.describe(provider, model, name)  # nobody can tell better
        return by_model

    def describe(self, provider: str, model: str, name: str = "") -> Entry:
        """What is known of a provider's model without asking anybody.

        Args:
            provider: the provider's name.
            model: the provider's name of the model.
            name: what callers ask for; empty: found out.
        """
        listed = {each.id: each for each in self._lists[provider].known.models}
        asked = name or asked_name(self._sources[provider].settings, model, listed)
        return self._entry(provider, asked, model, listed.get(model))

    def listed(self, provider: str) -> Mapping[str, ListedModel]:
        """What a provider listed when it was last asked; nothing where it never was. Asks nobody."""
        return {model.id: model for model in self._lists[provider].known.models}

    def facts(self, provider: str, model: str) -> ModelFacts:
        """What is known of a provider's model without asking anybody. Cheap: for use with every request.

        Args:
            provider: the provider's name.
            model: the provider's name of the model.
        """
        models = self._lists[provider].known.models
        known = self._known.get((provider, model))
        if known is None or known[0] is not models:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[provider, model] = models, self.describe(provider, model).facts
        return known[1]

    async def close(self) -> None:
        """Stops asking providers."""
        await asyncio.gather(*(each.close() for each in self._lists.values()))

    async def _listing(self, provider: str) -> Listing:
        if has_patterns(self._sources[provider].settings):
            return await self._lists[provider].get(LIST_WAIT_S)
        return self._lists[provider].known

    def _served(self, provider: str, listing: Listing) -> Sequence[Entry]:
        return self._once(self._served_entries, provider, listing)

    def _all(self, provider: str, listing: Listing) -> Sequence[Entry]:
        return self._once(self._all_entries, provider, listing)

    def _once(self, make: Callable[[str, Listing], Sequence[Entry]], provider: str, listing: Listing) -> Sequence[Entry]:
        """What is made of a listing, made once for each: some providers list hundreds of models."""
        key = (make.__name__, provider)
        made = self._made.get(key)
        if made is None or made[0] is not listing.models or made[1] != listing.error:
            made = self._made[key] = listing.models, listing.error, make(provider, listing)
        return made[2]

    def _served_entries(self, provider: str, listing: Listing) -> Sequence[Entry]:
        listed = {model.id: model for model in listing.models}
        return [
            self._entry(provider, name, model, listed.get(model))
            for name, model in self._served_names(provider, listing).items()
        ]

    def _all_entries(self, provider: str, listing: Listing) -> Sequence[Entry]:
        settings = self._sources[provider].settings
        listed = {model.id: model for model in listing.models}
        models = sorted({*listed, *self._served_names(provider, listing).values()})
        return [self._entry(provider, asked_name(settings, model, listed), model, listed.get(model)) for model in models]

    def _served_names(self, provider: str, listing: Listing) -> dict[str, str]:
        """The models that callers may ask for: their names for them -> the provider's."""
        settings = self._sources[provider].settings
        if settings.type == _LISTS_WHAT_COULD_BE:
            return served_names(settings, settings.deployments)
        names = served_names(settings, [model.id for model in listing.models])
        if names or listing.error not in ("", Fault.UNSUPPORTED.error_type):
            return names
        return served_names(settings, self._table.names(settings.type))  # there is no list, or one of other things

    def _entry(self, provider: str, name: str, model: str, listed: ListedModel | None) -> Entry:
        source = self._sources[provider]
        settings = source.settings
        facts = listed_facts(listed) if listed is not None else NOTHING
        facts = _configured_prices(settings).or_else(facts).or_else(self._table.facts(settings.type, model))
        if not facts.capabilities:
            facts = replace(facts, capabilities=_guess(model, source.operations))
        if listed is None:
            return Entry(name, model, provider, facts)
        return Entry(name, model, provider, facts, listed.created, listed.owned_by)


def _configured_prices(settings: ProviderSettings) -> ModelFacts:
    """What the row says that tokens cost; it says so for a thousand."""
    prices = (settings.cost_per_1k_input_tokens, settings.cost_per_1k_output_tokens)
    of_input, of_output = (None if price is None else Decimal(str(price)) * 1000 for price in prices)
    return ModelFacts(input_price=of_input, output_price=of_output)


def _guess(model: str, operations: frozenset[Operation]) -> frozenset[str]:
    """What a model of that name does, where nobody says: names of models that do not chat tell what they do instead."""
    lowered = model.lower()
    told = next((operation for word, operation in _TELLING if word in lowered), Operation.CHAT)
    return frozenset({told.value}) if told is not None and told in operations else frozenset()
