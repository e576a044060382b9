"""What a completion that is over used, as quotas and budgets count it, whether its row is summed or forgotten."""

from sqlalchemy import func

from server.storage.tables import COMPLETIONS

MOST_TOKENS = 10**9
"""A billion of each kind: more than any completion uses, whatever a vendor counts."""

USED_TOKENS = func.coalesce(COMPLETIONS.c.input_tokens, 0) + func.coalesce(COMPLETIONS.c.output_tokens, 0)
USED_MICROS = func.coalesce(COMPLETIONS.c.cost_micros, 0)


def countable(tokens: int) -> int:
    """What a vendor counts, as far as it can be: rows are summed, and a sum without bound would be none."""
    return 0 if tokens < 0 else tokens if tokens < MOST_TOKENS else MOST_TOKENS
