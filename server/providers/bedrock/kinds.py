"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind
from server.providers.bedrock.auth import missing_library

KINDS = (
    ProviderKind(
        type="bedrock",
        base_url=None,
        api_key_env=("AWS_BEARER_TOKEN_BEDROCK", "PROXY_API_AWS_BEARER_TOKEN_BEDROCK"),
        needs_key=False,
        models=("us.*", "eu.*", "apac.*", "jp.*", "au.*", "global.*", "amazon.*", "anthropic.*", "meta.*", "mistral.*"),
        missing_without_key=missing_library,
    ),
)
