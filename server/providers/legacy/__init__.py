"""The older wire forms of some vendors."""

from server.providers.legacy.kinds import LEGACY

__all__ = ["LEGACY"]
