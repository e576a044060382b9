"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind

BASE_URL = "https://api.anthropic.com"

KINDS = (
    ProviderKind(
        type="anthropic",
        base_url=BASE_URL,
        api_key_env=("ANTHROPIC_API_KEY", "PROXY_API_ANTHROPIC_API_KEY"),
        needs_key=True,
        models=("claude-*",),
    ),
)
