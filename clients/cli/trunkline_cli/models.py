"""`trunkline models`: which models a gateway serves."""

from trunkline.v1.models_service_pb2 import Model, ProviderStatus
from trunkline_cli.connection import (
    DEFAULT_TARGET,
    ApiKeyOption,
    Connection,
    TargetOption,
    TimeoutOption,
    TlsCaOption,
    TlsOption,
)
from trunkline_cli.terminal import add_row, open_console, open_table


def models(
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """List the models that a gateway serves."""
    table = open_table("MODEL", "PROVIDER", "TYPE", "STATUS")
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        for model in client.models.list_models():
            add_row(table, model.id, model.provider, model.provider_type, _status(model))
    open_console().print(table)


def _status(model: Model) -> str:
    if not model.enabled:
        return "disabled"
    name = ProviderStatus.Name(model.status).removeprefix("PROVIDER_STATUS_").lower()
    return "unknown" if name == "unspecified" else name
