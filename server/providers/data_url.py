"""Data URLs, in which callers send media within their requests."""

import base64
from urllib.parse import unquote_to_bytes


def data_url(url: str) -> tuple[str, str] | None:
    """The media type and the base64 of a data URL; None for other URLs."""
    if url[:5].lower() != "data:":
        return None
    head, _, data = url[5:].partition(",")
    media_type, *parameters = (piece.strip().lower() for piece in head.split(";"))
    if "base64" not in parameters:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type, data
