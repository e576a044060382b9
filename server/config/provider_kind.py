"""What configuration has to know of one kind of provider; the kinds themselves are handed in, never looked up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """One `type` that a provider row may name.

    Attributes:
        type: The name a row gives, `openai`.
        base_url: Where the vendor answers. None: a row has to say it, unless `needs_base_url` is False.
        api_key_env: The usual variables of the vendor's key, the first one set wins.
        needs_key: Whether the vendor refuses calls without a key.
        models: Served when nothing is configured, and by rows that name no models.
        aliases: Other names of the type, `xai` for `grok`.
        needs_base_url: False for a kind that calls nobody, as `echo` does.
        missing_without_key: Says what is missing for rows without a key, where something is; None: nothing ever is.
        legacy: Whether the vendor's API once had another form, which a row asks for with `dialect: legacy`.
    """

    type: str
    base_url: str | None
    api_key_env: tuple[str, ...]
    needs_key: bool
    models: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    needs_base_url: bool = True
    missing_without_key: Callable[[], str | None] | None = None
    legacy: bool = False


def find_kind(kinds: Sequence[ProviderKind], name: str) -> ProviderKind | None:
    """Finds the kind that `name` names, by its type or one of its aliases."""
    return next((kind for kind in kinds if name == kind.type or name in kind.aliases), None)
