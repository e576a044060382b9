"""The catalogue's values as the contract's messages."""

from decimal import Decimal

from server.catalogue.catalogue import Entry
from server.catalogue.lists import Listing
from server.catalogue.selections import Selection
from server.ledger.price import Price, Rates
from server.runtime import ProviderRow
from server.services.times import timestamp_to_ms
from trunkline.v1.models_service_pb2 import Model, ModelList, ModelSelection

OWN = "trunkline"
"""Who an alias is owned by."""

_LARGEST_COUNT = 2**31 - 1


def model_message(entry: Entry, row: ProviderRow, price: Price | None, alias_of: str = "") -> Model:
    """A model of a provider.

    Args:
        entry: the model.
        row: its provider.
        price: what was set for it; None: what is known of it holds.
        alias_of: the model that the entry's name stands for; empty: it is no alias.
    """
    settings, facts = row.settings, entry.facts
    rates = Rates(input=facts.input_price, output=facts.output_price) if price is None else price.rates
    return Model(
        name=f"models/{entry.name}",
        id=entry.name,
        create_time=None if entry.created is None else timestamp_to_ms(entry.created),
        owned_by=OWN if alias_of else entry.owned_by or settings.type,
        provider=settings.name,
        provider_type=settings.type,
        status=row.status,
        enabled=settings.enabled,
        forced=settings.forced,
        provider_model=entry.model,
        alias_of=alias_of,
        capabilities=sorted(facts.capabilities),
        context_window=_count(facts.context_window),
        max_output_tokens=_count(facts.max_output_tokens),
        input_usd_micros_per_million_tokens=_micros(rates.input),
        output_usd_micros_per_million_tokens=_micros(rates.output),
    )


def model_list(provider: str, total: int, listing: Listing) -> ModelList:
    """A provider's list as a whole."""
    return ModelList(
        provider=provider,
        total_size=total,
        cached=listing.cached,
        refresh_time=None if listing.refresh_time is None else timestamp_to_ms(listing.refresh_time),
        refresh_error=listing.error,
    )


def selection_message(provider: str, selection: Selection) -> ModelSelection:
    """A provider's selection."""
    return ModelSelection(
        name=f"providers/{provider}/model_selection",
        selected_model=selection.model,
        editable=selection.editable,
        priority=selection.priority,
        max_tokens=selection.max_tokens,
        temperature=selection.temperature,
        update_time=timestamp_to_ms(selection.update_time),
    )


def _count(tokens: int | None) -> int | None:
    """A number of tokens that makes sense; providers write all kinds of things."""
    return tokens if tokens is not None and 0 < tokens <= _LARGEST_COUNT else None


def _micros(dollars: Decimal | None) -> int | None:
    """A price in millionths of a dollar; negative ones mean that it depends."""
    return None if dollars is None or not 0 <= dollars <= 1_000_000 else round(dollars * 1_000_000)
