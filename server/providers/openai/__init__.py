"""OpenAI's dialect, which most vendors speak, each with its own quirks."""

from server.providers.openai.kinds import KINDS

__all__ = ["KINDS"]
