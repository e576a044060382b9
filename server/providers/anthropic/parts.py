"""The contract's content parts -> Anthropic's content blocks."""

import base64
import binascii

from server.providers.data_url import data_url
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of
from server.providers.unsupported import no_content, unsupported
from trunkline.v1.chat_pb2 import ContentPart, File

Json = dict[str, object]

_VENDORS_OWN = frozenset({"image", "document", "search_result", "container_upload"})
"""Blocks that a caller may write in the vendor's own form."""


def part_block(part: ContentPart) -> Json | None:
    """The block of a part; None for text that is empty, which the vendor refuses.

    Raises:
        ProviderError: UNSUPPORTED for kinds of parts that the vendor does not have.
    """
    match part.type:
        case "text":
            block = text_block(part.text) if part.text.strip() else None
        case "refusal":
            block = text_block(part.refusal) if part.refusal.strip() else None
        case "image_url":
            block = _image(part.image_url.url)
        case "file":
            block = _document(part.file)
        case kind if kind in _VENDORS_OWN:
            return {"type": kind, **extra_of(part)}
        case _:
            raise no_content(part)
    mark = extra_of(part).get("cache_control")
    if block is not None and mark is not None:
        block["cache_control"] = mark
    return block


def text_block(text: str) -> Json:
    """A block of text."""
    return {"type": "text", "text": text}


def _image(url: str) -> Json:
    data = data_url(url)
    if data is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, encoded = data
    media_type = "image/jpeg" if media_type == "image/jpg" else media_type
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def _document(file: File) -> Json:
    if file.HasField("file_id"):
        return {"type": "document", "source": {"type": "file", "file_id": file.file_id}}
    data = data_url(file.file_data)
    media_type, encoded = data or ("", "")
    if media_type.startswith("image/"):
        return _image(file.file_data)
    source: Json = {"type": "base64", "media_type": media_type, "data": encoded}
    if media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _text(encoded)}
    elif media_type != "application/pdf":
        raise unsupported("The provider takes files as data URLs of a PDF, text or image.", "messages.content.file")
    document: Json = {"type": "document", "source": source}
    if file.filename:
        document["title"] = file.filename
    return document


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ProviderError(
            Fault.INVALID_REQUEST, "The file is not base64 of UTF-8 text.", param="messages.content.file"
        ) from None
