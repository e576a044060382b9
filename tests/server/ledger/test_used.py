"""What a usage says is counted as far as it can be."""

import pytest

from server.ledger.entry import Tokens
from server.ledger.used import MOST_TOKENS, count_tokens
from tests.server.ledger.entries import USAGE
from trunkline.v1.chat_pb2 import InputTokensDetails, OutputTokensDetails, Usage


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
        count_tokens(Usage(input_tokens_details=read)),
        count_tokens(Usage(input_tokens_details=written)),
        count_tokens(Usage(output_tokens=told)),
        count_tokens(Usage(output_tokens_details=reasoned)),
    ] == [Tokens(*(counted if at == place else 0 for at in range(5))) for place in range(5)]
