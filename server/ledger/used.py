"""What a completion that is over used, as quotas and budgets count it, whether its row is summed or forgotten."""

from operator import add

from msgspec.structs import astuple
from sqlalchemy import func

from server.ledger.entry import Tokens
from server.storage.tables import COMPLETIONS
from trunkline.v1.chat_pb2 import Usage

MOST_TOKENS = 10**9
"""A billion of each kind: more than any completion uses, whatever a vendor counts."""

_USUAL_BITS = 28
"""A part that has no more is no less than nothing, and even three of them are less than that together."""

USED_TOKENS = func.coalesce(COMPLETIONS.c.input_tokens, 0) + func.coalesce(COMPLETIONS.c.output_tokens, 0)
USED_MICROS = func.coalesce(COMPLETIONS.c.cost_micros, 0)


def count_tokens(usage: Usage) -> Tokens:
    """What a usage says, as far as it can be: parts told larger than their whole are cut to it."""
    input, output = usage.input_tokens, usage.output_tokens
    cached = written = reasoning = 0
    if usage.HasField("input_tokens_details"):
        details = usage.input_tokens_details
        cached, written = details.cached_tokens, details.cache_write_tokens
    if usage.HasField("output_tokens_details"):
        reasoning = usage.output_tokens_details.reasoning_tokens
    fresh, said = input - cached - written, output - reasoning
    if (fresh | cached | written | said | reasoning) >> _USUAL_BITS:  # nearly never, which is seen for all at once
        input, output = _countable(input, MOST_TOKENS), _countable(output, MOST_TOKENS)
        cached, reasoning = _countable(cached, input), _countable(reasoning, output)
        written = _countable(written, input - cached)
    return Tokens(input, cached, written, output, reasoning)


def add_tokens(some: Tokens | None, others: Tokens) -> Tokens:
    """What two attempts used together; None: the first nothing."""
    return others if some is None else Tokens(*map(add, astuple(some), astuple(others)))


def _countable(tokens: int, most: int) -> int:
    """What a vendor counts, as far as it can be: rows are summed, and a sum without bound would be none."""
    return 0 if tokens < 0 else tokens if tokens < most else most
