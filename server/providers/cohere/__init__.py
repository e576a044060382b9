"""Cohere's v2 API."""

from server.providers.cohere.kinds import KINDS

__all__ = ["KINDS"]
