"""The contract's content parts -> Gemini's parts.

Media come as data URLs, which travel within the request, or as addresses, which the vendor fetches itself where it can: its
own files, Google's storage, YouTube, and for newer models any public one. Source:
https://ai.google.dev/gemini-api/docs/file-input-methods (2026-11).
"""

import mimetypes
from urllib.parse import urlsplit

from server.providers.data_url import data_url
from server.providers.extra_fields import extra_of
from server.providers.unsupported import no_content, unsupported
from trunkline.v1.chat_pb2 import ContentPart, File

Json = dict[str, object]

_FILES = "https://generativelanguage.googleapis.com/v1beta/"
_MEDIA_TYPES = {"image/jpg": "image/jpeg", "audio/x-wav": "audio/wav", "audio/mpeg": "audio/mp3"}
"""Names of media types that the vendor calls otherwise."""


def vendor_part(part: ContentPart) -> Json | None:
    """The vendor's part; None for text that is empty, which it refuses.

    Raises:
        ProviderError: UNSUPPORTED for kinds of parts that the vendor does not have.
    """
    match part.type:
        case "text":
            return {"text": part.text} if part.text else None
        case "refusal":
            return {"text": part.refusal} if part.refusal else None
        case "image_url":
            return _media(part.image_url.url, _told_type(extra_of(part.image_url)), "")
        case "input_audio":
            return _inline(f"audio/{part.input_audio.format or 'wav'}", part.input_audio.data)
        case "file":
            return _file(part.file)
        case "video_url":
            video = extra_of(part).get("video_url")
            url = video.get("url") if isinstance(video, dict) else None
            if isinstance(video, dict) and isinstance(url, str):
                return _media(url, _told_type(video), "")
    raise no_content(part)


def _file(file: File) -> Json:
    media_type = _told_type(extra_of(file))
    if file.HasField("file_id"):
        where = f"{_FILES}{file.file_id}" if file.file_id.startswith("files/") else file.file_id
        return _media(where, media_type, file.filename)
    if file.file_data[:5].lower() == "data:":
        return _media(file.file_data, media_type, file.filename)
    media_type = media_type or _guessed(file.filename)
    if not media_type:
        raise unsupported("The provider takes files as data URLs with their type.", "messages.content.file")
    return _inline(media_type, file.file_data)


def _media(url: str, told_type: str, filename: str) -> Json:
    if inline := data_url(url):
        media_type, data = inline
        return _inline(told_type or media_type or "text/plain", data)
    file: Json = {"fileUri": url}
    media_type = told_type or _guessed(filename) or _guessed(_path(url))
    if media_type:
        file["mimeType"] = media_type
    return {"fileData": file}


def _inline(media_type: str, data: str) -> Json:
    return {"inlineData": {"mimeType": _MEDIA_TYPES.get(media_type, media_type), "data": data}}


def _told_type(extras: Json) -> str:
    """The media type that the caller gave, where OpenAI's form has no place for it."""
    said = extras.get("mime_type") or extras.get("format")
    return said if isinstance(said, str) else ""


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _guessed(path: str) -> str:
    """The media type by the name's ending; empty where it tells none."""
    media_type = mimetypes.guess_type(path)[0] or ""
    return _MEDIA_TYPES.get(media_type, media_type)
