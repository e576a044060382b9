"""Anthropic's Messages API."""

from server.providers.anthropic.provider import KINDS, build

__all__ = ["KINDS", "build"]
