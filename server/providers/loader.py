"""From a settings row to its provider: finds the dialect's file by the row's type.

Every module of this package that has `KINDS` and `build` is a dialect; there is no list of them anywhere.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import cast

import server.providers
from server.config.provider_kind import ProviderKind
from server.providers.base import Provider, ProviderContext


def provider_kinds() -> tuple[ProviderKind, ...]:
    """Every kind of provider that a configuration may name, by type."""
    return tuple(sorted((kind for module in _dialects() for kind in _kinds(module)), key=lambda kind: kind.type))


def build_provider(context: ProviderContext) -> Provider:
    """Builds the provider of a row, whose type is known to be one of `provider_kinds`."""
    for module in _dialects():
        if any(kind.type == context.settings.type for kind in _kinds(module)):
            build = cast(Callable[[ProviderContext], Provider], module.build)
            return build(context)
    raise LookupError(context.settings.type)


def _dialects() -> list[ModuleType]:
    modules = [
        importlib.import_module(f"{server.providers.__name__}.{found.name}")
        for found in pkgutil.iter_modules(server.providers.__path__)
        if found.name != "loader"
    ]
    return [module for module in modules if hasattr(module, "KINDS")]


def _kinds(module: ModuleType) -> Sequence[ProviderKind]:
    return cast(Sequence[ProviderKind], module.KINDS)
