"""What a model says, as its vendor writes it -> text and reasoning apart, without what the caller has already.

Some vendors send reasoning as parts of the content (Mistral) or between tags within it (Perplexity), repeat the beginning of
an answer that they were given (Mistral), and tell of their sources beside the answer (Perplexity).
"""

import re
from collections.abc import Sequence

from server.providers.openai.vendors import Vendor

Json = dict[str, object]

_OPEN, _CLOSE = "<think>", "</think>"


class Shaper:
    """Shapes the message of one choice, piece by piece.

    Args:
        vendor: whose it is.
        prefix: the beginning of the answer, which the caller has already.
    """

    __slots__ = ("_citations", "_parts", "_prefix", "_tags", "_text")

    def __init__(self, vendor: Vendor, prefix: str) -> None:
        self._parts = vendor.thinking_parts
        self._citations = vendor.citations
        self._tags = ThinkTags() if vendor.think_tags else None
        self._prefix = Echo(prefix) if prefix and vendor.echoes_prefix else None
        self._text = ""

    @staticmethod
    def needed(vendor: Vendor) -> bool:
        """Whether the vendor's answers have to be shaped."""
        return vendor.thinking_parts or vendor.think_tags or vendor.echoes_prefix or vendor.citations

    def shape(self, message: Json, ending: bool, answer: Json) -> None:
        """Shapes a message, or a piece of it.

        Args:
            message: the message or delta; it is changed.
            ending: whether nothing follows it.
            answer: the completion or chunk that it is in.
        """
        content = message.get("content")
        if self._parts and isinstance(content, list):
            _part_content(message, content)
        for hold in (self._tags, self._prefix):
            content = message.get("content")
            if hold is None or not (ending or isinstance(content, str)):
                continue
            given = content if isinstance(content, str) else ""
            reasoning, text = hold.feed(given, ending)
            if reasoning:
                message["reasoning_content"] = reasoning
            if text or isinstance(content, str):
                message["content"] = text
        if self._citations:
            content = message.get("content")
            self._text += content if isinstance(content, str) else ""
            if ending and (annotations := _annotations(answer, self._text)):
                message["annotations"] = annotations


class ThinkTags:
    """Reasoning between tags at the beginning of a text."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._held = ""
        self._state = "before"

    def feed(self, text: str, ending: bool) -> tuple[str, str]:
        """The reasoning and the text that a piece brings; what may yet turn out to be a tag is held back."""
        if self._state == "text":
            return "", text
        self._held += text
        if self._state == "before":
            begun = self._held.lstrip()
            if begun.startswith(_OPEN):
                self._state, self._held = "thinking", begun[len(_OPEN) :].lstrip("\n")
            elif ending or not _OPEN.startswith(begun):
                return "", self._rest()
            else:
                return "", ""
        reasoning = ""
        if self._state == "thinking":
            reasoning, closed, after = self._held.partition(_CLOSE)
            if not closed:
                kept = 0 if ending else _overlap(reasoning, _CLOSE)
                self._held = reasoning[len(reasoning) - kept :]
                return reasoning[: len(reasoning) - kept], ""
            self._state, self._held = "after", after
        self._held = self._held.lstrip()  # the blank lines between reasoning and text
        return reasoning, self._rest() if self._held else ""

    def _rest(self) -> str:
        self._state, held, self._held = "text", self._held, ""
        return held


class Echo:
    """The beginning of an answer that was given to the vendor, and comes back before what follows it."""

    __slots__ = ("_held", "_prefix")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._held = ""

    def feed(self, text: str, ending: bool) -> tuple[str, str]:
        """No reasoning, and the text that a piece brings beyond the beginning."""
        if not self._prefix:
            return "", text
        self._held += text
        if len(self._held) < len(self._prefix) and self._prefix.startswith(self._held) and not ending:
            return "", ""
        rest = self._held.removeprefix(self._prefix)
        self._prefix = self._held = ""
        return "", rest


def _overlap(text: str, tag: str) -> int:
    """How many of a text's last letters may be the first ones of a tag."""
    return next((size for size in range(min(len(text), len(tag) - 1), 0, -1) if text.endswith(tag[:size])), 0)


def _part_content(message: Json, parts: Sequence[object]) -> None:
    """Puts a content of parts into a text, and the reasoning in it beside it."""
    reasoning, texts, others = "", "", []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(part, dict) and kind == "thinking":
            reasoning += _text_of(part.get("thinking"))
        elif isinstance(part, dict) and kind == "text":
            texts += _text_of(part.get("text"))
        else:
            others.append(part)
    if reasoning:
        message["reasoning_content"] = reasoning
    references = [part for part in others if isinstance(part, dict) and part.get("type") == "reference"]
    if len(references) < len(others):  # a kind that a text cannot hold
        return
    message["content"] = texts
    if references:
        message["references"] = references


def _text_of(thinking: object) -> str:
    if isinstance(thinking, list):
        return "".join(_text_of(part.get("text")) for part in thinking if isinstance(part, dict))
    return thinking if isinstance(thinking, str) else ""


def _annotations(answer: Json, text: str) -> list[Json]:
    """The sources as annotations, each where the text first has its number, `[1]`; at 0 where it has not."""
    results = answer.get("search_results")
    found = [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []
    titles = {item.get("url"): item.get("title") for item in found}
    cited = answer.get("citations")
    urls = cited if isinstance(cited, list) and cited else [item.get("url") for item in found]
    annotations: list[Json] = []
    for number, url in enumerate(urls, 1):
        if not isinstance(url, str):
            continue
        marker = re.search(rf"\[{number}\]", text)
        begin, end = marker.span() if marker else (0, 0)
        title = titles.get(url)
        citation = {
            "url": url,
            "title": title if isinstance(title, str) else url,
            "start_index": begin,
            "end_index": end,
        }
        annotations.append({"type": "url_citation", "url_citation": citation})
    return annotations
