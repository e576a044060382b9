"""A provider's settings -> the connections that they ask for."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from server.config.provider_settings import ProviderSettings
from server.providers.http.base import Http
from server.providers.http.http1 import Http1


def build_http(settings: ProviderSettings) -> Http:
    """Builds a provider's HTTP client, in the running loop; whoever asks for it closes it.

    HTTP/2 is loaded with the first row that wants it.
    """
    http1 = Http1(
        connect_timeout_s=settings.connect_timeout,
        idle_timeout_s=settings.idle_timeout,
        max_connections=settings.max_connections,
        keepalive_s=settings.keepalive_expiry,
        max_idle=settings.max_keepalive_connections,
    )
    if not settings.http2:
        return http1
    build = cast(Callable[[ProviderSettings, Http], Http], import_module("server.providers.http.http2").build_http2)
    return build(settings, http1)
