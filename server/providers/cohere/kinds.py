"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind

BASE_URL = "https://api.cohere.com"

KINDS = (
    ProviderKind(
        type="cohere",
        base_url=BASE_URL,
        api_key_env=("CO_API_KEY", "COHERE_API_KEY", "PROXY_API_COHERE_API_KEY"),
        needs_key=True,
        models=("command-*", "embed-*"),
    ),
)
