"""Configuration: `load` makes immutable settings from one `config.yaml`, or from nothing."""

from server.config.errors import ConfigError, Fault
from server.config.first_key import FirstKey, data_dir, ensure_first_key, forget_first_key
from server.config.loading import Loaded, embedded_defaults, load
from server.config.notice import Notice
from server.config.provider_kind import ProviderKind
from server.config.provider_settings import ProviderSettings
from server.config.schema import ApiKey, Settings

__all__ = [
    "ApiKey",
    "ConfigError",
    "Fault",
    "FirstKey",
    "Loaded",
    "Notice",
    "ProviderKind",
    "ProviderSettings",
    "Settings",
    "data_dir",
    "embedded_defaults",
    "ensure_first_key",
    "forget_first_key",
    "load",
]
