"""The echo: answers by itself, without a network."""

from server.providers.echo.kinds import KINDS

__all__ = ["KINDS"]
