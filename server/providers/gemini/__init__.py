"""Google's Gemini API."""

from server.providers.gemini.kinds import KINDS

__all__ = ["KINDS"]
