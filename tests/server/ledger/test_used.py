"""What a usage says is counted as far as it can be."""

import pytest

from server.ledger.entry import Tokens
from server.ledger.used import MOST_TOKENS, count_tokens
from tests.server.ledger.entries import USAGE
from trunkline.v1.chat_pb2 import InputTokensDetails, OutputTokensDetails, Usage


def used(output: int = 0, reasoning: int = 0, input: int = 0, cached: int = 0, written: int = 0) -> Usage:
    return Usage(
        input_tokens=input,
        output_tokens=output,
        input_tokens_details=InputTokensDetails(cached_tokens=cached, cache_write_tokens=written),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=reasoning),
    )


def test_each_kind_is_counted() -> None:
    assert count_tokens(USAGE) == Tokens(input=75, cached=5, cache_write=3, output=75, reasoning=7)


def test_what_is_not_told_is_none() -> None:
    assert count_tokens(Usage(output_tokens=1)) == Tokens(0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (-(2**63), 0),
        (-1, 0),
        (0, 0),
        (2**29, 2**29),
        (MOST_TOKENS, MOST_TOKENS),
        (MOST_TOKENS + 1, MOST_TOKENS),
        (2**63 - 1, MOST_TOKENS),
    ],
)
def test_counts_that_cannot_be_are_cut(told: int, counted: int) -> None:
    read, written = InputTokensDetails(cached_tokens=told), InputTokensDetails(cache_write_tokens=told)
    reasoned = OutputTokensDetails(reasoning_tokens=told)
    assert [
        count_tokens(Usage(input_tokens=told)),
        count_tokens(Usage(input_tokens=told, input_tokens_details=read)),
        count_tokens(Usage(input_tokens=told, input_tokens_details=written)),
        count_tokens(Usage(output_tokens=told)),
        count_tokens(Usage(output_tokens=told, output_tokens_details=reasoned)),
    ] == [Tokens(*(counted if kind in kinds else 0 for kind in range(5))) for kinds in ({0}, {0, 1}, {0, 2}, {3}, {3, 4})]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        pytest.param(used(5, reasoning=5), (0, 0, 0, 5, 5), id="all of it"),
        pytest.param(used(5, reasoning=6), (0, 0, 0, 5, 5), id="reasoning"),
        pytest.param(used(-5, reasoning=999), (0, 0, 0, 0, 0), id="reasoning of nothing"),
        pytest.param(used(2**40, reasoning=2**50), (0, 0, 0, MOST_TOKENS, MOST_TOKENS), id="reasoning of too much"),
        pytest.param(used(input=10, cached=6, written=4), (10, 6, 4, 0, 0), id="all of the input"),
        pytest.param(used(input=10, cached=11), (10, 10, 0, 0, 0), id="cached"),
        pytest.param(used(input=10, written=11), (10, 0, 10, 0, 0), id="written"),
        pytest.param(used(input=10, cached=6, written=5), (10, 6, 4, 0, 0), id="cached and written"),
        pytest.param(used(input=10, cached=-1, written=11), (10, 0, 10, 0, 0), id="cached less than nothing"),
        pytest.param(used(input=10, cached=11, written=-1), (10, 10, 0, 0, 0), id="written less than nothing"),
        pytest.param(used(cached=7), (0, 0, 0, 0, 0), id="cached of nothing"),
    ],
)
def test_parts_are_no_larger_than_their_whole(usage: Usage, counted: tuple[int, ...]) -> None:
    assert count_tokens(usage) == Tokens(*counted)
