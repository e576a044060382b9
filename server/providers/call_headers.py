"""The headers of the calls to one provider."""

from collections.abc import Mapping

from server.config.provider_settings import ProviderSettings


def call_headers(settings: ProviderSettings, vendors: Mapping[str, str]) -> dict[str, str]:
    """The headers of one call; those of the row go before the provider's own.

    Args:
        settings: the provider's row.
        vendors: what the vendor wants beside the usual ones, or in place of them; the key among it.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "trunkline", **vendors}
    own = {name.lower() for name in settings.custom_headers}
    return {name: value for name, value in headers.items() if name.lower() not in own} | dict(settings.custom_headers)


def bearer(settings: ProviderSettings) -> dict[str, str]:
    """The row's key as a bearer token; nothing where it has none."""
    return {} if settings.api_key is None else {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
