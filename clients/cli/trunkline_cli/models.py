"""`trunkline models`: which models a gateway serves."""

from typing import Annotated, Literal

import typer

from trunkline.v1.models_service_pb2 import Model, ProviderStatus
from trunkline_cli.connected import connected
from trunkline_cli.connection import Connection
from trunkline_cli.terminal import add_row, open_console, open_table, print_line
from trunkline_client import Client

ProviderOption = Annotated[
    str | None,
    typer.Option("--provider", envvar="TRUNKLINE_PROVIDER", help="All models of this provider.", show_default=False),
]
RefreshOption = Annotated[
    bool, typer.Option("--refresh", envvar="TRUNKLINE_REFRESH", help="Ask the provider first; without one, ask them all.")
]


def _models(connection: Connection, provider: ProviderOption = None, refresh: RefreshOption = False) -> None:
    """List the models that a gateway serves, and what they cost: US dollars for a million tokens in and out."""
    table = open_table("MODEL", "PROVIDER", "CONTEXT", "MAX OUTPUT", "PRICE", "STATUS")
    with connection.open() as client:
        if refresh:
            _refresh(client, provider)
        for model in client.models.list_provider_models(provider) if provider else client.models.list_models():
            limits = (_count(model, "context_window"), _count(model, "max_output_tokens"))
            add_row(table, model.id, model.provider, *limits, _price(model), _status(model))
    open_console().print(table)


models = connected(_models)


def _refresh(client: Client, provider: str | None) -> None:
    """Has the gateway ask providers for their models, and says of which it got none."""
    names = [provider] if provider else [each.id for each in client.metrics.list_providers() if each.enabled]
    for name in names:
        error = client.models.refresh_provider_models(name).list.refresh_error
        if error:
            print_line(open_console(stderr=True), f"{name}: its list of models is not new: {error}", "yellow")


def _count(model: Model, field: Literal["context_window", "max_output_tokens"]) -> str:
    return str(getattr(model, field)) if model.HasField(field) else "-"


def _price(model: Model) -> str:
    """Both prices, in dollars; nothing where neither is known."""
    known = [
        (model.HasField("input_usd_micros_per_million_tokens"), model.input_usd_micros_per_million_tokens),
        (model.HasField("output_usd_micros_per_million_tokens"), model.output_usd_micros_per_million_tokens),
    ]
    if not any(there for there, _ in known):
        return "-"
    return " / ".join(f"{micros / 1e6:.6g}" if there else "-" for there, micros in known)


def _status(model: Model) -> str:
    if not model.enabled:
        return "disabled"
    name = ProviderStatus.Name(model.status).removeprefix("PROVIDER_STATUS_").lower()
    return "unknown" if name == "unspecified" else name
