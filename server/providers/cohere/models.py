"""Cohere's list of models, page by page, and its word on a key."""

import msgspec

from server.providers.base import ListedModel
from server.providers.errors import Fault, ProviderError
from server.providers.wire import UNREADABLE

PAGE_SIZE = 1000
"""The most models that the vendor puts on a page."""

_ENDPOINTS = {"chat": "chat", "embed": "embeddings", "generate": "text"}
_FEATURES = {"tools": "tools", "vision": "vision", "reasoning": "reasoning", "json_schema": "json_schema"}


class _WireModel(msgspec.Struct):
    name: str
    endpoints: list[str] | None = None
    features: list[str] | None = None
    context_length: float | None = None


class _WirePage(msgspec.Struct):
    models: list[_WireModel]
    next_page_token: str | None = None


class _WireCheck(msgspec.Struct):
    valid: bool


_PAGE = msgspec.json.Decoder(_WirePage)
_CHECK = msgspec.json.Decoder(_WireCheck)


def listed_models(body: bytes) -> tuple[list[ListedModel], str]:
    """The models of a page, and the token of the next one; empty where there is none.

    Raises:
        ProviderError: PROTOCOL when the body is no such page.
    """
    try:
        page = _PAGE.decode(body)
    except UNREADABLE:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer is not a list of models.") from None
    return [_listed(model) for model in page.models], page.next_page_token or ""


def refuse_bad_key(body: bytes) -> None:
    """Looks at what the vendor says of the key.

    Raises:
        ProviderError: AUTHENTICATION when the key is not valid; PROTOCOL when it says nothing of it.
    """
    try:
        check = _CHECK.decode(body)
    except UNREADABLE:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer says nothing about the key.") from None
    if not check.valid:
        raise ProviderError(Fault.AUTHENTICATION, "The provider says that the key is not valid.")


def _listed(model: _WireModel) -> ListedModel:
    named = [_ENDPOINTS.get(name) for name in model.endpoints or []] + [_FEATURES.get(name) for name in model.features or []]
    return ListedModel(
        id=model.name,
        owned_by="cohere",
        context_window=int(model.context_length) if model.context_length else None,
        capabilities=frozenset(name for name in named if name is not None),
    )
