"""The two names of a model: the one that a caller asks for, and the one that its provider is asked for.

A row's models are the provider's own names, with one exception: a pattern `PREFIX/*` whose prefix is the row's name or its
type is an address. `groq/*` on a groq row means "what Groq has, asked for as `groq/NAME`", and the prefix is taken off
before Groq is asked. Some vendors have models whose own names begin with the vendor's (`openrouter/auto`, `groq/compound`):
a name that the vendor lists, or that the table below knows, is never cut.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from server.config.provider_settings import ProviderSettings

_CUT: Mapping[str, Callable[[str], bool]] = {
    # Its own models have one slash, `openrouter/auto`; everybody else's are `AUTHOR/MODEL`.
    "openrouter": lambda rest: "/" in rest,
    "groq": lambda rest: not re.fullmatch(r"compound(-mini|-beta.*)?", rest),
}
"""Vendors that have models under their own name: whether the rest after it can be a model's whole name.

Sources: https://openrouter.ai/docs/features/model-routing, https://console.groq.com/docs/models (2026-11).
"""


def serves(settings: ProviderSettings, model: str) -> bool:
    """Whether a row names a model, or has a pattern that it matches."""
    return any(model == served or ("*" in served and fnmatchcase(model, served)) for served in settings.models)


def has_patterns(settings: ProviderSettings) -> bool:
    """Whether only the provider itself can tell which models the row serves."""
    return not settings.models or any("*" in served for served in settings.models)


def provider_name(settings: ProviderSettings, model: str, listed: Collection[str] = ()) -> str:
    """The name to ask a row's provider for.

    Args:
        settings: the row.
        model: the name that a caller asks for; the row serves it, or it is `PROVIDER/MODEL` with the row's name.
        listed: what the provider lists, as far as is known.
    """
    prefix, _, rest = model.partition("/")
    if not rest or model in listed or prefix not in (settings.name, settings.type):
        return model
    if rest in listed:
        return rest
    if not _is_address(settings, model, prefix):
        return model
    cut = _CUT.get(settings.type)
    return rest if cut is None or cut(rest) else f"{settings.type}/{rest}"


def asked_name(settings: ProviderSettings, model: str, listed: Collection[str] = ()) -> str:
    """The name to ask the gateway for, so that this row may answer with its provider's model; as `provider_name`'s opposite.

    It is the shortest that works: the provider's own name where the row serves that, else the one with the prefix of one
    of its patterns, else `PROVIDER/MODEL`, which asks this row alone.
    """
    prefixes = (served.removesuffix("/*") for served in settings.models if served.endswith("/*"))
    for name in (model, *(f"{prefix}/{model}" for prefix in prefixes)):
        if serves(settings, name) and provider_name(settings, name, listed) == model:
            return name
    return f"{settings.name}/{model}"


def served_names(settings: ProviderSettings, listed: Iterable[str]) -> dict[str, str]:
    """The models of a row that can be told by name: the asked-for name -> the provider's.

    They are those that the row names, and those of its provider's list that its patterns match; of a row that names nothing,
    the whole list.
    """
    known = frozenset(listed)
    names = {name: provider_name(settings, name, known) for name in settings.models if "*" not in name}
    taken = set(names.values())
    for model in sorted(known - taken):
        name = asked_name(settings, model, known)
        if not settings.models or serves(settings, name):
            names[name] = model
    return names


def _is_address(settings: ProviderSettings, model: str, prefix: str) -> bool:
    """Whether a name's prefix says whom to ask, and is no part of the model's own name."""
    if f"{prefix}/*" in settings.models:
        return True
    if serves(settings, model):  # named in full: the provider's own name, but where that cannot be
        cut = _CUT.get(settings.type)
        return prefix == settings.type and cut is not None and cut(model.removeprefix(f"{prefix}/"))
    return prefix == settings.name
