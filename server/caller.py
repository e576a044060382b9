"""Who is calling, and what they may do."""

from dataclasses import dataclass

COMPLETION = "completion"
MODELS_READ = "models:read"
METRICS_READ = "metrics:read"
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key.

    Attributes:
        name: the key's name, never the key.
        permissions: what the key may do.
        tenant_id: whose key it is; empty for keys of the configuration, whose holders see everything they may see at all.
        user_id: whose of the tenant; likewise.
        key_id: the key's id in the database; its name for keys of the configuration.
        models: patterns of the models that it may ask for; empty: all.
        providers: patterns of the providers that may be asked for it; empty: all.
    """

    name: str
    permissions: frozenset[str]
    tenant_id: str = ""
    user_id: str = ""
    key_id: str = ""
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


ANONYMOUS = Caller(name="", permissions=frozenset())
"""The caller of what needs no key, and everyone before the key was looked at."""
