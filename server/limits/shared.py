"""Whether a configuration may do without counters that processes share."""

from server.config.schema import Settings


def find_unshared(settings: Settings, workers: int, rows: int = 0) -> str | None:
    """Tells what would be limited by each process alone, though several are to run.

    Args:
        settings: the configuration.
        workers: how many processes are to run.
        rows: how many quotas and budgets there are.

    Returns:
        A sentence for whoever starts the gateway; None: all is well.
    """
    if workers < 2 or settings.redis is not None:
        return None
    limited = [f"providers.{row.name}.rate_limit" for row in settings.providers if row.enabled and row.rate_limit]
    if settings.rate_limit is not None and settings.rate_limit.enabled:
        limited.insert(0, "rate_limit")
    if rows:
        limited.append("quotas and budgets in the database")
    if not limited:
        return None
    return (
        f"{workers} workers cannot hold to limits together without Redis ({', '.join(limited)}): "
        "set `redis.url`, or start one worker."
    )
