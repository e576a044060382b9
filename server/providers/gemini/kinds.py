"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind

HOST = "https://generativelanguage.googleapis.com"
VERSION = "v1beta"

KINDS = (
    ProviderKind(
        type="gemini",
        base_url=f"{HOST}/{VERSION}",
        api_key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY", "PROXY_API_GEMINI_API_KEY"),
        needs_key=True,
        models=("gemini-*",),
    ),
)
