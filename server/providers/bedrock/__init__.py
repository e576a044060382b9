"""Amazon Bedrock's Converse API."""

from server.providers.bedrock.kinds import KINDS

__all__ = ["KINDS"]
