"""Takes secrets out of texts: the one place, which every log line and every error's text passes."""

import json
import re
import string
from collections.abc import Collection, Iterable, Iterator
from enum import Enum
from itertools import chain
from urllib.parse import quote

from ahocorasick_rs import AhoCorasick

MASK = "[redacted]"
_MORE = "..."
"""What stands in the place of what was cut off."""
_SHORTEST = 6
"""Shorter secrets would mask ordinary text."""

_QUOTE = r"(?:\\*[\"'])?"
"""A quote or none; also as a JSON text within a JSON text has it."""

_NEVER = r"(?!)"
"""What no text has."""

_START = r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
"""Where a word begins: also behind letters of languages that write no spaces, and what JSON writes for one or a line end."""

_LABELS = (
    rf"{_START}(?:bearer|basic)\s+",
    rf"{_START}(?:proxy-)?authorization{_QUOTE}\s*[:=]\s*{_QUOTE}(?:(?:bearer|basic)\s+)?",
    rf"{_START}(?:[a-z]+[-_])?(?:api[-_]?key|password|passwd|secret(?:[-_]access[-_]key)?|access[-_]?token|"
    rf"(?:security|session)[-_]token){_QUOTE}\s*[:=]\s*{_QUOTE}",
    r"[?&](?:key|token|auth|sig|signature)=",
    r"://[^\s/@:\"'\\]*:(?=[^\s/@\"'\\]+@)",
)
"""What stands before a secret, in any case."""

_LABEL_HINTS = ("bearer", "basic", "auth", "passw", "secret", "access", "security", "session")
"""A text with a label has one of these in lower case, or one of the signs; most have none, and one look finds out."""

_LABEL_SIGNS = ("?", "&", "@")
"""Texts may be full of these, and looking for a single letter costs next to nothing."""

_API_KEY_HINT = re.compile(r"api[-_]?key(?!s/)")
"""Or it has this one; `api_keys/` and an id is the name of a caller, which most lines have."""

_VALUE = r"(?!(?:bearer|basic)\b)[^\s\"'`\\,;&<>(){}\[\]]{6,}"
_URL_VALUE = r"[^\s/@\"'\\]+(?=@)"

_PREFIXES = ("xai", "gsk", "pplx", "llm", "ghp", "tgp", "hf", "nvapi", "r8")
_KEYS = (
    r"sk-[A-Za-z0-9_-]{8,}",
    rf"(?:{'|'.join(_PREFIXES)})[-_][A-Za-z0-9_-]{{16,}}",
    r"AIza[A-Za-z0-9_-]{16,}",
    r"A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])",
)
"""What keys look like, whoever's they are."""

_KEY_HINTS = ("sk-", *_PREFIXES, "aiza", "akia", "asia")
"""As `_LABEL_HINTS`."""


class _Kind(Enum):
    """What secrets are found by."""

    KNOWN = "known"
    LABELLED = "labelled"
    KEY = "key"


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
        self._known = re.compile("|".join(map(re.escape, known)) or _NEVER)
        *labels, url = _LABELS
        self._labelled = re.compile(f"(?i:({'|'.join(labels)}){_VALUE}|({url}){_URL_VALUE})")
        self._keys = re.compile(f"{_START}(?:{'|'.join(_KEYS)})")
        hints = {
            _Kind.KNOWN: [form.casefold() for form in known],
            _Kind.LABELLED: _LABEL_HINTS,
            _Kind.KEY: _KEY_HINTS,
        }
        self._hints = AhoCorasick(chain.from_iterable(hints.values()))
        self._kinds = [kind for kind, each in hints.items() for _ in each]

    def text(self, text: str) -> str:
        """The text with every secret masked; a JSON text stays one."""
        hinted = self._hinted(text.lower() if text.isascii() else text.casefold())  # the latter takes five times as long
        if not hinted:
            return text
        if _Kind.KNOWN in hinted:
            text = self._known.sub(MASK, text)
        if _Kind.LABELLED in hinted:
            text = self._labelled.sub(_masked, text)
        if _Kind.KEY in hinted:
            text = self._keys.sub(MASK, text)
        return text

    def _hinted(self, text: str) -> Collection["_Kind"]:
        """What may be in a text. That it finds all at once is what makes it cheap: every log line passes here."""
        try:
            hinted = {self._kinds[found[0]] for found in self._hints.find_matches_as_indexes(text, overlapping=True)}
        except UnicodeEncodeError:  # half a character
            return set(_Kind)
        if any(sign in text for sign in _LABEL_SIGNS) or _API_KEY_HINT.search(text):
            hinted.add(_Kind.LABELLED)
        return hinted


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
