"""What has an older form. Loaded by every gateway, so it imports nothing."""

LEGACY = ("anthropic", "cohere", "grok", "perplexity")
"""The types that have an older form."""
