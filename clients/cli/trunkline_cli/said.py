"""What the command line may say instead of the configuration: where a gateway listens, and how many processes it is."""

from typing import Annotated

import typer

from server.config import Settings

HostOption = Annotated[str | None, typer.Option("--host", envvar="TRUNKLINE_HOST", help="The address to listen on.")]
PortOption = Annotated[int | None, typer.Option("--port", envvar="TRUNKLINE_PORT", min=0, max=65535, help="The HTTP port.")]
GrpcPortOption = Annotated[
    int | None, typer.Option("--grpc-port", envvar="TRUNKLINE_GRPC_PORT", min=0, max=65535, help="The gRPC port.")
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option("--metrics-port", envvar="TRUNKLINE_METRICS_PORT", min=0, max=65535, help="A port for probes alone."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", envvar="TRUNKLINE_WORKERS", min=1, max=1024, help="How many processes.")
]


def fold(
    settings: Settings,
    host: str | None,
    port: int | None,
    grpc_port: int | None,
    metrics_port: int | None,
    workers: int | None,
) -> Settings:
    """The settings with what is said; None: nothing is."""
    said = {"host": host or None, "port": port, "grpc_port": grpc_port, "metrics_port": metrics_port, "workers": workers}
    server = settings.server.model_copy(update={name: value for name, value in said.items() if value is not None})
    return settings.model_copy(update={"server": server})
