"""The echo: answers by itself, without a network."""

from server.providers.echo.provider import KINDS, build

__all__ = ["KINDS", "build"]
