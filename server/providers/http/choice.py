"""A provider's settings -> the connections that they ask for."""

import ssl

from server.config.provider_settings import ProviderSettings
from server.providers.http.base import Http
from server.providers.http.http1 import Http1
from server.providers.http.http2 import Http2


def build_http(settings: ProviderSettings) -> Http:
    """Builds a provider's HTTP client, in the running loop; whoever asks for it closes it."""
    http1 = Http1(
        connect_timeout_s=settings.connect_timeout,
        idle_timeout_s=settings.idle_timeout,
        max_connections=settings.max_connections,
        keepalive_s=settings.keepalive_expiry,
        max_idle=settings.max_keepalive_connections,
    )
    if not settings.http2:
        return http1
    return Http2(
        http1,
        tls=ssl.create_default_context(),
        connect_timeout_s=settings.connect_timeout,
        idle_timeout_s=settings.idle_timeout,
        max_connections=settings.max_connections,
        keepalive_s=settings.keepalive_expiry,
    )
