"""Which of a provider's own headers have a secret in them, so that no log line may."""

import re

_TELLING = re.compile("key|token|auth|secret|cookie|signature|passw|credential", re.IGNORECASE)
_LIKE_A_KEY = re.compile(r"(?=\d*[A-Za-z])(?=[A-Za-z]*\d)[A-Za-z0-9]{8,}")
"""Letters and digits without a break, of both some."""


def is_secret(name: str, value: str) -> bool:
    """Whether a header's name says that its value is a secret, or the value looks like a key."""
    return _TELLING.search(name) is not None or _LIKE_A_KEY.search(value) is not None
