"""Google's Gemini API."""

from server.providers.gemini.provider import KINDS, build

__all__ = ["KINDS", "build"]
