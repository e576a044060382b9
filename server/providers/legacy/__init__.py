"""The older wire forms of some vendors."""

from server.providers.legacy.provider import LEGACY, build

__all__ = ["LEGACY", "build"]
