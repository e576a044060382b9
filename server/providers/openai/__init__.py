"""OpenAI's dialect, which most vendors speak, each with its own quirks."""

from server.providers.openai.provider import KINDS, build

__all__ = ["KINDS", "build"]
