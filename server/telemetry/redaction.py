"""Takes secrets out of texts: the one place, which every log line and every error's text passes."""

import re
from collections.abc import Iterable

MASK = "[redacted]"
_SHORTEST = 6
"""Shorter secrets would mask ordinary text."""

_SHAPES = (
    r"\bsk-[A-Za-z0-9_-]{8,}",
    r"\b(?:xai|gsk|pplx|llm|ghp|AIza)[-_A-Za-z0-9]{16,}",
    r"(?i:bearer\s+)[A-Za-z0-9._~+/=-]{8,}",
    r"(?i:\b(?:api[-_]?key|password|secret|authorization)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]{6,}",
)
"""What keys look like, whoever's they are."""

_HINTS = ("sk-", "xai", "gsk", "pplx", "llm", "ghp", "aiza", "bearer", "api", "password", "secret", "authorization")
"""One of these is in every text that a shape matches, whatever its case: most lines have none, and looking is cheap."""


class Redaction:
    """Knows the secrets of this process.

    Args:
        secrets: the secrets, in plain text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._hints = (*_HINTS, *(secret.lower() for secret in known))
        self._pattern = re.compile("|".join([*(re.escape(secret) for secret in known), *_SHAPES]))

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        lower = text.lower()
        for hint in self._hints:
            if hint in lower:
                return self._pattern.sub(MASK, text)
        return text
