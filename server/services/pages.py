"""Pages of lists that are in memory, each beginning after the last of the one before, whatever came or went since."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar, cast

import orjson

from server.errors import invalid_request

T = TypeVar("T")
Key = tuple[int | str, ...]
"""Where something stands in its list; no two stand at one place."""

_MOST = 1000


class ListRequest(Protocol):
    """A request for a page."""

    page_size: int
    page_token: str


def page(items: Iterable[T], request: ListRequest, default: int, key: Callable[[T], Key]) -> tuple[Sequence[T], str]:
    """One page of a list in the order of its keys, and the token of the next one; empty where there is none.

    Args:
        items: the list, in any order.
        request: which page. Its token is for requests of its kind alone.
        default: how many make a page where the request does not say.
        key: where an item stands.

    Raises:
        GatewayError: INVALID_REQUEST for a token or a size that makes no sense.
    """
    if request.page_size < 0:
        raise invalid_request("`page_size` must not be negative.", "page_size")
    items = sorted(items, key=key)
    begin = 0
    if request.page_token:
        try:
            kind, *after = cast(list[int | str], orjson.loads(urlsafe_b64decode(request.page_token)))
            begin = bisect_right(items, tuple(after), key=key)
        except (ValueError, TypeError):  # it is no base64, no JSON, no list, or of other types than the keys
            kind = ""
        if kind != type(request).__name__:
            raise invalid_request("`page_token` is not one that this server gave.", "page_token")
    end = begin + min(request.page_size or default, _MOST)
    if end >= len(items):
        return items[begin:], ""
    return items[begin:end], urlsafe_b64encode(orjson.dumps((type(request).__name__, *key(items[end - 1])))).decode()
