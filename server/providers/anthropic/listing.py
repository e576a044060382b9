"""Anthropic's list of models, page by page.

Source: https://platform.claude.com/docs/en/api/models/list (2026-11); anthropic 2.11, `types/model_info.py`.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

from server.providers.anthropic.errors import error_in, refusal
from server.providers.base import ListedModel
from server.providers.errors import Fault, ProviderError
from server.providers.http.base import Http

_PAGE_SIZE = 1000
_MOST_PAGES = 50
"""A vendor that has more pages than that repeats itself."""

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


async def list_models(
    http: Http, url: str, headers: Mapping[str, str], timeout_s: float, clock: Callable[[], float]
) -> tuple[ListedModel, ...]:
    """Every model of the list that has not been retired.

    Args:
        url: of the list, without a query.
        timeout_s: how long all pages together may take.
        clock: epoch seconds.

    Raises:
        ProviderError: the vendor refused, or its list makes no sense.
    """
    end = asyncio.get_running_loop().time() + timeout_s
    found: list[ListedModel] = []
    after = ""
    for _ in range(_MOST_PAGES):
        left_s = max(0.001, end - asyncio.get_running_loop().time())
        page = _page(await ask_for_page(http, f"{url}?limit={_PAGE_SIZE}{after}", headers, left_s, clock))
        found.extend(_listed(model) for model in page.data if model.lifecycle != "retired")
        if not page.has_more or not page.last_id:
            return tuple(found)
        after = f"&after_id={quote(page.last_id, safe='')}"
    raise ProviderError(Fault.PROTOCOL, "The provider's list of models has no end.")


async def ask_for_page(
    http: Http, url: str, headers: Mapping[str, str], timeout_s: float, clock: Callable[[], float]
) -> bytes:
    """One page of the list, unread.

    Raises:
        ProviderError: the vendor refused.
    """
    async with await http.get(url, headers, timeout_s) as answer:
        if answer.status != 200:
            raise refusal(answer.status, answer.headers, await answer.error_body(), clock())
        return await answer.body()


def _page(body: bytes) -> _Page:
    try:
        return _PAGE.decode(body)
    except ValueError:
        raise error_in(body) or ProviderError(Fault.PROTOCOL, "The provider's answer is no list of models.") from None


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
    except ValueError:
        return False
