"""When a vendor says to come back."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_LONGEST_S = 86_400.0


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Reads `retry-after-ms`, then `retry-after` as seconds or as an HTTP date.

    Args:
        headers: the answer's.
        now: epoch seconds.

    Returns:
        Seconds from now, at most a day; None where nothing sensible is said.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return min(milliseconds / 1000, _LONGEST_S)
    said = headers.get("retry-after", "").strip()
    seconds = _number(said)
    if seconds is None and said:
        try:
            seconds = max(0.0, parsedate_to_datetime(said).timestamp() - now)
        except (ValueError, OverflowError):
            return None
    return None if seconds is None else min(seconds, _LONGEST_S)


def _number(text: str) -> float | None:
    """A plain, not negative number; None for anything else."""
    whole, _, part = text.strip().partition(".")
    if not whole.isascii() or not whole.isdigit() or (part and not (part.isascii() and part.isdigit())) or len(text) > 20:
        return None
    return float(f"{whole}.{part or 0}")
