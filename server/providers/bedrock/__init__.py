"""Amazon Bedrock's Converse API."""

from server.providers.bedrock.provider import KINDS, build

__all__ = ["KINDS", "build"]
