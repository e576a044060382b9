"""Takes secrets out of texts: the one place, which every log line and every error's text passes."""

import json
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

MASK = "[redacted]"
_MORE = "..."
"""What stands in the place of what was cut off."""
_SHORTEST = 6
"""Shorter secrets would mask ordinary text."""

_QUOTE = r"(?:\\*[\"'])?"
"""A quote or none; also as a JSON text within a JSON text has it."""

_LABELS = (
    r"\b(?:bearer|basic)\s+",
    rf"\b(?:proxy-)?authorization{_QUOTE}\s*[:=]\s*{_QUOTE}(?:(?:bearer|basic)\s+)?",
    r"\b(?:[a-z]+[-_])?(?:api[-_]?key|password|passwd|secret(?:[-_]access[-_]key)?|access[-_]?token|"
    rf"(?:security|session)[-_]token){_QUOTE}\s*[:=]\s*{_QUOTE}",
    r"[?&](?:key|token|auth|sig|signature)=",
    r"://[^\s/@:\"'\\]*:(?=[^\s/@\"'\\]+@)",
)
"""What stands before a secret, in any case."""

_LABEL_HINTS = ("?", "&", "@", "bearer", "basic", "auth", "passw", "secret", "access", "security", "session")
"""A text with a label has one of these in lower case; most have none, and finding that out is cheap."""

_API_KEY_HINT = re.compile(r"api[-_]?key(?!s/)")
"""Or it has this one; `api_keys/` and an id is the name of a caller, which most lines have."""

_VALUE = r"(?!(?:bearer|basic)\b)[^\s\"'`\\,;&<>(){}\[\]]{6,}"
_URL_VALUE = r"[^\s/@\"'\\]+(?=@)"

_PREFIXES = ("xai", "gsk", "pplx", "llm", "ghp", "tgp", "hf", "nvapi", "r8")
_KEYS = (
    r"\bsk-[A-Za-z0-9_-]{8,}",
    rf"\b(?:{'|'.join(_PREFIXES)})[-_][A-Za-z0-9_-]{{16,}}",
    r"\bAIza[A-Za-z0-9_-]{16,}",
)
"""What keys look like, whoever's they are."""

_KEY_HINTS = ("sk-", *_PREFIXES, "aiza")
"""As `_LABEL_HINTS`."""


_IN_WORDS = "".join(set(string.ascii_letters + string.digits + string.punctuation) - set("\"'`"))
"""What a secret is made of. A quote ends it, and so does a letter of languages that write no spaces."""


def cut_at_word(text: str, longest: int) -> str:
    """The beginning of a text that may have secrets in it, with what shows that more came.

    The word that the cut goes through is left out: nobody would know the beginning of a secret.
    """
    if len(text) <= longest:
        return text
    kept = text[: longest - len(_MORE)].rstrip(_IN_WORDS).rstrip()
    return f"{kept}{_MORE}" if kept else ""


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
        if _has_any(lowered, _LABEL_HINTS) or _API_KEY_HINT.search(lowered):
            text = self._labelled.sub(_masked, text)
        if _has_any(lowered, _KEY_HINTS):
            text = self._keys.sub(MASK, text)
        return text


def _has_any(text: str, hints: Sequence[str]) -> bool:
    for hint in hints:  # noqa: SIM110 - every log line passes here, and a generator costs three times as much
        if hint in text:
            return True
    return False


def _masked(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]}{MASK}"


def _forms(secret: str) -> Iterator[str]:
    """A secret as texts have it: plain, within a Python literal, a URL or JSON, and each of these within JSON again."""
    plain = (secret, repr(secret)[1:-1], quote(secret, safe=""), *_in_json(secret))
    yield from plain
    for form in plain:
        yield from _in_json(form)


def _in_json(text: str) -> tuple[str, str]:
    return json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
