"""Which of a provider's own headers have a secret in them, so that no log line may."""

_HARMLESS = frozenset(
    {
        *("accept", "accept-language", "anthropic-beta", "anthropic-version", "content-type", "http-referer"),
        *("openai-beta", "openai-organization", "openai-project", "referer", "user-agent", "x-title"),
    }
)
"""What vendors document that is told to anybody; its words stand in logs for other reasons, too."""


def is_secret(name: str) -> bool:
    """Whether a header of that name may have a secret: any that is not known to have none."""
    return name.lower() not in _HARMLESS
