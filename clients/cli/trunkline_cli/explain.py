"""`trunkline explain`: where a request for a model would go, and why not elsewhere."""

from typing import Annotated

import typer

from trunkline.v1.models_service_pb2 import RouteStep
from trunkline_cli.connected import connected
from trunkline_cli.connection import Connection
from trunkline_cli.operations import Asked
from trunkline_cli.terminal import add_row, open_console, open_table, print_line

_ASKED = ", ".join(Asked)

ModelArgument = Annotated[str, typer.Argument(help="The model, as a request would name it.", show_default=False)]
OperationOption = Annotated[str, typer.Option("--operation", help=f"What would be asked: {_ASKED}.", metavar="NAME")]


def _explain(connection: Connection, model: ModelArgument, operation: OperationOption = "chat") -> None:
    """Tell where a request for a model would go now, in which order, and why not elsewhere."""
    if operation not in set(Asked):
        raise typer.BadParameter(f"must be one of {_ASKED}", param_hint="--operation")
    with connection.open() as client:
        route = client.models.explain_route(model, Asked(operation).operation)
    console = open_console()
    alias = f" stands for {route.resolved_model}" if route.resolved_model != route.model else ""
    print_line(console, f"{route.model}{alias}, by {route.strategy}")
    table = open_table("PLACE", "PROVIDER", "MODEL", "FOR", "NOTE")
    for step in route.steps:
        add_row(table, str(step.place or "-"), step.provider, step.model or "-", step.purpose or "-", _note(step))
    console.print(table)


explain = connected(_explain)


def _note(step: RouteStep) -> str:
    if step.HasField("retry_delay"):
        return f"{step.reason}, for {step.retry_delay.ToMilliseconds() / 1000:.0f} s more"
    return step.reason
