"""The contract's content parts -> Converse's content blocks.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html (2026-11).
"""

import re

from server.providers.data_url import data_url
from server.providers.extra_fields import extra_of
from server.providers.unsupported import no_content, unsupported
from trunkline.v1.chat_pb2 import ContentPart, File, InputAudio

Json = dict[str, object]

_VENDORS_OWN = frozenset({"image", "document", "video", "audio", "guardContent", "cachePoint", "searchResult"})
"""Blocks that a caller may write in the vendor's own form, under the key of their type."""

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_ENDINGS = frozenset(_DOCUMENTS.values())
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9\-()\[\]]+")
_LONGEST_NAME = 180
"""The vendor's 200 letters, with room for a number that tells names apart."""


def part_block(part: ContentPart) -> Json | None:
    """The block of a part; None for text that is blank, which the vendor refuses.

    Raises:
        ProviderError: UNSUPPORTED for what the vendor does not have, addresses of images among it.
    """
    match part.type:
        case "text":
            return text_block(part.text) if part.text.strip() else None
        case "refusal":
            return text_block(part.refusal) if part.refusal.strip() else None
        case "image_url":
            return _image(part.image_url.url)
        case "file":
            return _document(part.file)
        case "input_audio":
            return _audio(part.input_audio)
        case kind if kind in _VENDORS_OWN:
            return {kind: extra_of(part).get(kind)}
        case _:
            raise no_content(part)


def text_block(text: str) -> Json:
    """A block of text."""
    return {"text": text}


def _image(url: str) -> Json:
    source: Json
    if url.startswith("s3://"):
        ending = url.rpartition(".")[2].lower()
        form = _IMAGES.get(f"image/{ending}")
        source = {"s3Location": {"uri": url}}
    else:
        data = data_url(url)
        if data is None:
            raise unsupported("The provider takes images as data URLs only.", "messages.content.image_url")
        form = _IMAGES.get(data[0])
        source = {"bytes": data[1]}
    if form is None:
        raise unsupported("The provider takes images as PNG, JPEG, GIF and WebP only.", "messages.content.image_url")
    return {"image": {"format": form, "source": source}}


def _document(file: File) -> Json:
    data = data_url(file.file_data)
    if data is None:
        raise unsupported("The provider takes files as data URLs only.", "messages.content.file")
    media_type, encoded = data
    if media_type in _IMAGES:
        return _image(file.file_data)
    ending = file.filename.rpartition(".")[2].lower()
    form = _DOCUMENTS.get(media_type) or (ending if ending in _ENDINGS else None)
    if form is None:
        raise unsupported("The provider has no documents of this type.", "messages.content.file")
    name = _NOT_IN_NAME.sub(" ", file.filename.rpartition(".")[0] or file.filename).strip()[:_LONGEST_NAME]
    return {"document": {"format": form, "name": name or "document", "source": {"bytes": encoded}}}


def _audio(audio: InputAudio) -> Json:
    return {"audio": {"format": audio.format or "wav", "source": {"bytes": audio.data}}}
