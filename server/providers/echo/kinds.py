"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind

KINDS = (
    ProviderKind(
        type="echo",
        base_url=None,
        api_key_env=(),
        needs_key=False,
        models=("echo",),
        needs_base_url=False,
    ),
)
