"""Ollama's own API."""

from server.providers.ollama.provider import KINDS, build

__all__ = ["KINDS", "build"]
