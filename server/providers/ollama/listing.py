"""The models that an Ollama has pulled. Source: https://docs.ollama.com/api/tags (2026-11)."""

from datetime import datetime

import msgspec

from server.providers.base import ListedModel
from server.providers.ollama.errors import error_in
from server.providers.wire import decoded

_CAPABILITIES = {
    "completion": frozenset({"chat", "text", "json_schema"}),
    "tools": frozenset({"tools"}),
    "vision": frozenset({"vision"}),
    "thinking": frozenset({"reasoning"}),
    "embedding": frozenset({"embeddings"}),
}
_NONE: frozenset[str] = frozenset()


class _Details(msgspec.Struct):
    context_length: int | None = None


class _Model(msgspec.Struct):
    name: str = ""
    model: str = ""
    modified_at: str = ""
    details: _Details | None = None
    capabilities: list[str] | None = None


class _Tags(msgspec.Struct):
    models: list[_Model]


_TAGS = msgspec.json.Decoder(_Tags)


def listed_models(body: bytes) -> tuple[ListedModel, ...]:
    """The models; what they can is told by newer versions only.

    Raises:
        ProviderError: PROTOCOL when the body is no list; what it says, when it is an error.
    """
    tags = decoded(_TAGS, body, error_in, "The provider's answer is no list of models.")
    return tuple(_listed(model) for model in tags.models if model.model or model.name)


def _listed(model: _Model) -> ListedModel:
    told = (_CAPABILITIES.get(name, _NONE) for name in model.capabilities or ())
    return ListedModel(
        id=model.model or model.name,
        created=_seconds(model.modified_at),
        context_window=model.details.context_length if model.details is not None else None,
        capabilities=_NONE.union(*told),
    )


def _seconds(time: str) -> int | None:
    try:
        return max(0, int(datetime.fromisoformat(time).timestamp()))
    except (ValueError, OverflowError):
        return None
