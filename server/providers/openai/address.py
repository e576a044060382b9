"""Where a provider of OpenAI's dialect is asked, and with which headers."""

from urllib.parse import quote

from server.config.provider_settings import ProviderSettings
from server.providers.call_headers import bearer, call_headers
from server.providers.openai.vendors import Vendor

_AZURE_API_VERSION = "2024-10-21"
"""Azure's latest stable version of the deployment form. Source: https://learn.microsoft.com/azure/ai-foundry (2026-11)."""


class Address:
    """The URLs of a provider.

    Args:
        settings: its row.
        vendor: its vendor's ways.
    """

    def __init__(self, settings: ProviderSettings, vendor: Vendor) -> None:
        base = (settings.base_url or vendor.base_url or "").rstrip("/")
        azure = vendor.type == "azure_openai"
        self._deployments = azure and not base.endswith("/openai/v1")
        self._base = base.removesuffix("/openai") if self._deployments else base
        self._settings = settings
        version = settings.api_version or (_AZURE_API_VERSION if self._deployments else None)
        self._query = f"?api-version={quote(version, safe='')}" if azure and version else ""

    def of(self, path: str, model: str) -> str:
        """The URL of a path that a model is asked at."""
        if not self._deployments:
            return f"{self._base}/{path}{self._query}"
        settings = self._settings
        name = settings.deployments.get(model) or settings.deployment_id or model
        return f"{self._base}/openai/deployments/{quote(name, safe='')}/{path}{self._query}"

    def beside(self, path: str) -> str:
        """The URL of a path that belongs to no model; one that begins with `/` is beside the version's."""
        if self._deployments:
            return f"{self._base}/openai/{path}{self._query}"
        if path.startswith("/"):
            return self._base.removesuffix("/v1").removesuffix("/beta") + path
        return f"{self._base}/{path}{self._query}"


def headers_of(settings: ProviderSettings, vendor: Vendor) -> dict[str, str]:
    """The headers of every call; the key is not among them where the row's own headers show who asks."""
    headers: dict[str, str] = {}
    if settings.api_key is not None and "authorization" not in map(str.lower, settings.custom_headers):
        headers = {vendor.key_header: settings.api_key.get_secret_value()} if vendor.key_header else bearer(settings)
    if settings.organization:
        headers["OpenAI-Organization"] = settings.organization
    if settings.project:
        headers["OpenAI-Project"] = settings.project
    return call_headers(settings, headers)
