"""Takes secrets out of texts: the one place, which every log line and every error's text passes."""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

MASK = "[redacted]"
_SHORTEST = 6
"""Shorter secrets would mask ordinary text."""

_QUOTE = r"(?:\\*[\"'])?"
"""A quote or none; also as a JSON text within a JSON text has it."""

_LABELS = (
    r"\b(?:bearer|basic)\s+",
    rf"\b(?:proxy-)?authorization{_QUOTE}\s*[:=]\s*{_QUOTE}(?:(?:bearer|basic)\s+)?",
    rf"\b(?:[a-z]+[-_])?(?:api[-_]?key|password|passwd|secret|access[-_]?token){_QUOTE}\s*[:=]\s*{_QUOTE}",
    r"[?&](?:key|token|auth|sig|signature)=",
    r"://[^\s/@:\"'\\]*:(?=[^\s/@\"'\\]+@)",
)
"""What stands before a secret, in any case."""

_LABEL_HINTS = (
    *("bearer", "basic", "authorization", "apikey", "api_key", "api-key", "passw", "secret"),
    *("accesstoken", "access_token", "access-token", "key=", "token=", "auth=", "sig=", "signature=", "://"),
)
"""A text with a label has one of these in lower case; most have none, and finding that out is cheap."""

_VALUE = r"(?!(?:bearer|basic)\b)[^\s\"'`\\,;&<>(){}\[\]]{6,}"
_URL_VALUE = r"[^\s/@\"'\\]+(?=@)"

_PREFIXES = ("xai", "gsk", "pplx", "llm", "ghp", "tgp", "hf", "nvapi", "r8")
_KEYS = (
    r"\bsk-[A-Za-z0-9_-]{8,}",
    rf"\b(?:{'|'.join(_PREFIXES)})[-_][A-Za-z0-9_-]{{16,}}",
    r"\bAIza[A-Za-z0-9_-]{16,}",
)
"""What keys look like, whoever's they are."""

_KEY_HINTS = ("sk-", *(f"{name}{mark}" for name in _PREFIXES for mark in "-_"), "AIza")


class Redaction:
    """Knows the secrets of this process.

    Args:
        secrets: the secrets, in plain text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        written = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        # A secret may begin with another one, and may have what would end a value behind a label.
        known = sorted(written, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        *labels, url = _LABELS
        self._labelled = re.compile(f"(?i:({'|'.join(labels)}){_VALUE}|({url}){_URL_VALUE})")
        self._keys = re.compile("|".join(_KEYS))

    def text(self, text: str) -> str:
        """The text with every secret masked; a JSON text stays one."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        lowered = text.lower()
        if any(hint in lowered for hint in _LABEL_HINTS):
            text = self._labelled.sub(_masked, text)
        if any(hint in text for hint in _KEY_HINTS):
            text = self._keys.sub(MASK, text)
        return text


def _masked(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]}{MASK}"


def _forms(secret: str) -> Iterator[str]:
    """A secret as texts have it: plain, within JSON, within JSON within JSON, within a URL, within a Python literal."""
    yield secret
    for ensure_ascii in (False, True):
        once = json.dumps(secret, ensure_ascii=ensure_ascii)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ensure_ascii)[1:-1]
    yield quote(secret, safe="")
    yield repr(secret)[1:-1]
