"""Where Gemini's signatures over its thoughts stand in the contract.

A signature belongs to a call of a tool, or to an answer's text, and must come back with it. It goes out, and is taken back,
in `extra_json` of the `ToolCall` or of the `Message`, as `{"extra_content": {"google": {"thought_signature": "..."}}}`: the
place that it has in the vendor's own OpenAI layer, so that callers who keep what they do not know keep it too. Source:
https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11).
"""

from server.providers.extra_fields import extra_of
from trunkline.v1.chat_pb2 import Message, ToolCall

PLACEHOLDER = "skip_thought_signature_validator"
"""Taken by the vendor in place of a signature that was lost, or of a call that another model made."""


def signed(signature: str) -> dict[str, object]:
    """The keys of `extra_json` that carry a signature."""
    return {"extra_content": {"google": {"thought_signature": signature}}}


def signature_of(message: Message | ToolCall) -> str:
    """The signature that a call or a message carries; empty where it carries none.

    Raises:
        ProviderError: INVALID_REQUEST when its `extra_json` holds no JSON object.
    """
    value: object = extra_of(message)
    for key in ("extra_content", "google", "thought_signature"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
