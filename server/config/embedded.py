"""The settings that hold without a file: everything can be tried with no key, and a key that is set is used."""

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from server.config.errors import Fault
from server.config.fields import is_visible
from server.config.provider_kind import ProviderKind, find_kind
from server.config.provider_rows import usual_key
from server.config.provider_settings import ProviderSettings
from server.config.schema import Settings


def embedded_settings(env: Mapping[str, str], kinds: Sequence[ProviderKind], faults: list[Fault]) -> Settings:
    """Makes the settings: the `echo` provider, and each kind whose usual key variable is set, under its type's name.

    Args:
        env: Where keys are looked up.
        kinds: The types of providers there are.
        faults: Receives keys that no header can carry.
    """
    echo = find_kind(kinds, "echo")
    rows = [ProviderSettings(name="echo", type="echo", models=(echo.models if echo else ()) or ("echo",))]
    for kind in kinds:
        key = usual_key(kind, env)
        if key is None or kind.base_url is None:
            continue
        if not is_visible(key):
            faults.append(
                Fault("", None, None, f"the key for `{kind.type}` must be visible ASCII characters without blanks")
            )
        else:
            row = ProviderSettings(
                name=kind.type, type=kind.type, base_url=kind.base_url, api_key=SecretStr(key), models=kind.models
            )
            rows.append(row)
    return Settings(providers=tuple(rows))
