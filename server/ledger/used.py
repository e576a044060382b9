"""What a completion that is over used, as quotas and budgets count it, whether its row is summed or forgotten."""

from sqlalchemy import func

from server.storage.tables import COMPLETIONS

USED_TOKENS = func.coalesce(COMPLETIONS.c.input_tokens, 0) + func.coalesce(COMPLETIONS.c.output_tokens, 0)
USED_MICROS = func.coalesce(COMPLETIONS.c.cost_micros, 0)
