"""From a settings row to its provider: finds the dialect by the row's type.

Every module and package in this one that has `KINDS` is a dialect, and every one that has `LEGACY` speaks older forms, those
of the types that it names, beside the current dialect; there is no list of them anywhere. A module has `build` beside them;
a package has it in its module `provider`, which is loaded with the first row that needs it.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import cast

import server.providers
from server.config.provider_kind import ProviderKind
from server.providers.base import Provider, ProviderContext


def provider_kinds() -> tuple[ProviderKind, ...]:
    """Every kind of provider that a configuration may name, by type."""
    older = {type_name for module in _modules("LEGACY") for type_name in _older(module)}
    kinds = [replace(kind, legacy=kind.type in older) for module in _modules("KINDS") for kind in _kinds(module)]
    return tuple(sorted(kinds, key=lambda kind: kind.type))


def build_provider(context: ProviderContext) -> Provider:
    """Builds the provider of a row, whose type is known to be one of `provider_kinds`, and to have the row's dialect."""
    name = context.settings.type
    module = _first((module for module in _modules("KINDS") if any(kind.type == name for kind in _kinds(module))), name)
    current = cast(Callable[[ProviderContext], Provider], _builder(module))(context)
    if context.settings.dialect == "current":
        return current
    module = _first((module for module in _modules("LEGACY") if name in _older(module)), name)
    return cast(Callable[[ProviderContext, Provider], Provider], _builder(module))(context, current)


def _first(modules: Iterator[ModuleType], name: str) -> ModuleType:
    module = next(modules, None)
    if module is None:
        raise LookupError(name)
    return module


def _modules(having: str) -> list[ModuleType]:
    modules = [
        importlib.import_module(f"{server.providers.__name__}.{found.name}")
        for found in pkgutil.iter_modules(server.providers.__path__)
        if found.name != "loader"
    ]
    return [module for module in modules if hasattr(module, having)]


def _builder(module: ModuleType) -> object:
    builds = importlib.import_module(f"{module.__name__}.provider") if hasattr(module, "__path__") else module
    return builds.build


def _older(module: ModuleType) -> Sequence[str]:
    return cast(Sequence[str], module.LEGACY)


def _kinds(module: ModuleType) -> Sequence[ProviderKind]:
    return cast(Sequence[ProviderKind], module.KINDS)
