"""What configuration has to know of the kinds of provider here. Loaded by every gateway, so it imports next to nothing."""

from server.config.provider_kind import ProviderKind

BASE_URL = "http://127.0.0.1:11434"

KINDS = (ProviderKind(type="ollama", base_url=BASE_URL, api_key_env=(), needs_key=False, models=()),)
