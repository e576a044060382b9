"""Cohere's v2 API."""

from server.providers.cohere.provider import KINDS, build

__all__ = ["KINDS", "build"]
