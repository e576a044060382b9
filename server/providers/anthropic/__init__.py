"""Anthropic's Messages API."""

from server.providers.anthropic.kinds import KINDS

__all__ = ["KINDS"]
