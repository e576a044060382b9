"""OpenAI's JSON form of the messages of `trunkline.v1`, in both directions and without loss.

The front reads requests and writes answers with it, a provider that speaks OpenAI's dialect the other way round; neither
knows the other, so it stands beneath both. It knows messages and JSON values, and nothing of HTTP, SSE or any vendor.
"""

from trunkline_json.form import Form, Misfit
from trunkline_json.forms import (
    CHAT_CHUNK,
    CHAT_COMPLETION,
    CHAT_REQUEST,
    EMBEDDING_LIST,
    EMBEDDING_REQUEST,
    IMAGE_LIST,
    IMAGE_REQUEST,
    TEXT_COMPLETION,
    TEXT_REQUEST,
    USAGE,
    VIDEO_LIST,
    VIDEO_REQUEST,
)

__all__ = [
    "CHAT_CHUNK",
    "CHAT_COMPLETION",
    "CHAT_REQUEST",
    "EMBEDDING_LIST",
    "EMBEDDING_REQUEST",
    "IMAGE_LIST",
    "IMAGE_REQUEST",
    "TEXT_COMPLETION",
    "TEXT_REQUEST",
    "USAGE",
    "VIDEO_LIST",
    "VIDEO_REQUEST",
    "Form",
    "Misfit",
]
