"""Pages of lists in memory: what comes or goes between two pages moves nothing else."""

from collections.abc import Sequence

import pytest

from server.errors import GatewayError
from server.services.pages import Key, page
from trunkline.v1.admin_service_pb2 import ListFaultsRequest
from trunkline.v1.metrics_service_pb2 import ListProvidersRequest


def place(item: str) -> Key:
    return (item,)


def read(items: Sequence[str], token: str, size: int = 2) -> tuple[list[str], str]:
    of_page, after = page(items, ListFaultsRequest(page_size=size, page_token=token), 100, place)
    return list(of_page), after


def test_pages_come_in_order_and_the_last_has_no_token() -> None:
    first, token = read("bdac", "")
    second, last = read("bdac", token)

    assert (first, second, last) == (["a", "b"], ["c", "d"], "")
    assert read("ab", "") == (["a", "b"], "")
    assert page("abc", ListFaultsRequest(), 2, place)[0] == ["a", "b"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [("bcde", "cd"), ("cdef", "cd"), ("abcd", "cd"), ("0abcd", "cd"), ("ab", "")],
    ids=["one less", "the last one less", "the same", "one more", "the rest gone"],
)
def test_what_comes_and_goes_between_two_pages_moves_nothing(now: str, expected: str) -> None:
    _, token = read("abcde", "")

    assert read(now, token)[0] == list(expected)


def test_a_token_is_for_one_method_alone() -> None:
    _, token = read("abc", "")
    with pytest.raises(GatewayError) as raised:
        page("abc", ListProvidersRequest(page_token=token), 100, place)
    assert raised.value.metadata == {"param": "page_token"}


# The last four are base64 of JSON: a number, no list, a list with other keys, and one that is empty.
@pytest.mark.parametrize(
    "token", ["x", "1", "\0", "٣", "9" * 30, "Nw==", "e30=", "WyJMaXN0RmF1bHRzUmVxdWVzdCIsN10=", "W10="]
)
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(GatewayError) as raised:
        read("abc", token)
    assert raised.value.metadata == {"param": "page_token"}
