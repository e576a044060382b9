"""Anthropic's list of models, page by page.

Source: https://platform.claude.com/docs/en/api/models/list (2026-11); anthropic 2.11, `types/model_info.py`.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from server.providers.anthropic.errors import error_in
from server.providers.base import ListedModel
from server.providers.wire import UNREADABLE, decoded

_EVERY_MODEL = frozenset({"chat", "tools"})
_CAPABILITIES = {"image_input": "vision", "thinking": "reasoning", "structured_outputs": "json_schema"}


class _Support(msgspec.Struct):
    supported: bool = False


class _Model(msgspec.Struct):
    id: str
    created_at: datetime | None = None
    lifecycle: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: dict[str, msgspec.Raw] | None = None


class _Page(msgspec.Struct):
    data: list[_Model]
    has_more: bool = False
    last_id: str | None = None


_PAGE = msgspec.json.Decoder(_Page)
_SUPPORT = msgspec.json.Decoder(_Support)


def listed_models(body: bytes) -> tuple[list[ListedModel], str]:
    """The models of a page that have not been retired, and the last one's id; empty where there is no further page.

    Raises:
        ProviderError: PROTOCOL when the body is no such page; what it says, when it is an error.
    """
    page = decoded(_PAGE, body, error_in, "The provider's answer is no list of models.")
    found = [_listed(model) for model in page.data if model.lifecycle != "retired"]
    return found, (page.last_id or "") if page.has_more else ""


def _listed(model: _Model) -> ListedModel:
    return ListedModel(
        id=model.id,
        created=max(0, int(model.created_at.timestamp())) if model.created_at is not None else None,
        owned_by="anthropic",
        context_window=model.max_input_tokens,
        max_output_tokens=model.max_tokens,
        capabilities=_EVERY_MODEL | _told(model.capabilities or {}),
    )


def _told(capabilities: Mapping[str, msgspec.Raw]) -> frozenset[str]:
    return frozenset(ours for theirs, ours in _CAPABILITIES.items() if theirs in capabilities and _has(capabilities[theirs]))


def _has(told: msgspec.Raw) -> bool:
    try:
        return _SUPPORT.decode(told).supported
    except UNREADABLE:
        return False
