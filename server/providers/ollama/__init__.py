"""Ollama's own API."""

from server.providers.ollama.kinds import KINDS

__all__ = ["KINDS"]
