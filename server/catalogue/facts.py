"""What is known of a model: from its provider's list where that tells, else from a table of the project's own.

The table is `model_facts.json`, by the provider's type; its `meta` tells the date and the sources. A model that is not in
it is looked for without its date (`-2024-08-06`, `-20241022`, `-0613`), and behind its vendor's prefix under that vendor's
type.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TypedDict, cast

import orjson

from server.providers.base import ListedModel

_FILE = Path(__file__).with_name("model_facts.json")
_DATE = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")
_TYPES: Mapping[str, str] = {"google": "gemini", "x-ai": "grok", "xai": "grok", "mistralai": "mistral"}
"""What aggregators call a vendor -> its type here, where the two differ."""
_SAME_MODELS: Mapping[str, str] = {"azure_openai": "openai"}
"""Types that serve another type's models at its prices."""
_AGGREGATORS = frozenset({"openrouter", "blackbox"})
"""Types whose models have their vendor for a prefix, and cost what they cost there."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model; None and empty: not known.

    Attributes:
        context_window: the most tokens of a prompt.
        max_output_tokens: the most tokens of an answer.
        input_price: US dollars for one million input tokens.
        output_price: US dollars for one million output tokens.
        capabilities: as `ListedModel` has them.
    """

    context_window: int | None = None
    max_output_tokens: int | None = None
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    capabilities: frozenset[str] = frozenset()

    def or_else(self, other: "ModelFacts") -> "ModelFacts":
        """These facts, with the other's where these are silent."""
        names = [field.name for field in fields(self)]
        return replace(self, **{name: getattr(other, name) for name in names if getattr(self, name) in (None, frozenset())})


NOTHING = ModelFacts()


def listed_facts(model: ListedModel) -> ModelFacts:
    """What a provider's list tells of a model."""
    return ModelFacts(
        model.context_window, model.max_output_tokens, model.input_price, model.output_price, model.capabilities
    )


class _Row(TypedDict):
    """One model in the file."""

    context_window: int | None
    max_output_tokens: int | None
    input_price: float | None
    output_price: float | None
    capabilities: list[str]


class FactsTable:
    """The table. Immutable.

    Args:
        models: the facts by type and name.
    """

    def __init__(self, models: Mapping[str, Mapping[str, ModelFacts]]) -> None:
        self._models = models

    @classmethod
    def read(cls, file: Path = _FILE) -> "FactsTable":
        """Reads the project's table, or another one of its form."""
        types = cast(Mapping[str, Mapping[str, _Row]], orjson.loads(file.read_bytes())["models"])
        return cls({kind: {name: _facts(row) for name, row in models.items()} for kind, models in types.items()})

    def facts(self, provider_type: str, model: str) -> ModelFacts:
        """What is known of a provider's model.

        Args:
            provider_type: the provider's type.
            model: the provider's name of it.
        """
        kind = _TYPES.get(provider_type, provider_type)
        found = self._find(kind, model)
        if found is not None:
            return found
        prefix, slash, rest = model.partition("/")
        if kind in _AGGREGATORS and prefix == f"{kind}ai":  # blackboxai/openai/gpt-4o
            prefix, slash, rest = rest.partition("/")
        if slash and (prefix == kind or kind in _AGGREGATORS):
            found = self._find(_TYPES.get(prefix, prefix), rest)
        return found or NOTHING

    def names(self, provider_type: str) -> Collection[str]:
        """The models of a type that the table knows."""
        return self._models.get(provider_type, {})

    def _find(self, kind: str, model: str) -> ModelFacts | None:
        for name in (model, _DATE.sub("", model)):
            for each in (kind, _SAME_MODELS.get(kind, kind)):
                found = self._models.get(each, {}).get(name)
                if found is not None:
                    return found
        return None


def _facts(row: _Row) -> ModelFacts:
    return ModelFacts(
        row["context_window"],
        row["max_output_tokens"],
        _price(row["input_price"]),
        _price(row["output_price"]),
        frozenset(row["capabilities"]),
    )


def _price(dollars: float | None) -> Decimal | None:
    return None if dollars is None else Decimal(str(dollars))
