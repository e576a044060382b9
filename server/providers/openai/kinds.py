"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind
from server.providers.openai.vendors import VENDORS

KINDS = tuple(
    ProviderKind(
        type=vendor.type,
        base_url=vendor.base_url,
        api_key_env=vendor.key_env,
        needs_key=vendor.needs_key,
        models=vendor.models,
        aliases=vendor.aliases,
    )
    for vendor in VENDORS
)
