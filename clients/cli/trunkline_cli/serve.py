"""`trunkline serve`: the gateway in the foreground, whole (`serve`) or in halves (`serve core`, `serve http`)."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
import uvloop

from server.catalogue.selection_file import SelectionFileError
from server.config import ConfigError, FirstKey, Loaded, data_dir, ensure_first_key, forget_first_key, load
from server.limits.unheld import UnheldLimitsError
from server.providers.loader import provider_kinds
from server.storage.errors import StorageError
from trunkline_cli.addresses import Addresses
from trunkline_cli.certificates import read_tls
from trunkline_cli.gateway import VERSION, Gateway, begin_log
from trunkline_cli.memory import give_back, settle
from trunkline_cli.said import GrpcPortOption, HostOption, MetricsPortOption, PortOption, WorkersOption, fold
from trunkline_cli.start_faults import find_start_faults
from trunkline_cli.workers import CANNOT_START, WORKER_VARIABLE, on_parent_death, supervise, tell_ready
from trunkline_client import Tls
from trunkline_client.channel import check_target

app = typer.Typer(help="Start the gateway and stay in the foreground.", invoke_without_command=True, no_args_is_help=False)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="TRUNKLINE_CONFIG", help="The configuration file. Default: none is needed.")
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", envvar="TRUNKLINE_DATA_DIR", help="Where the gateway keeps what it must keep.")
]
DrainOption = Annotated[
    float | None,
    typer.Option("--drain", envvar="TRUNKLINE_DRAIN", min=0, help="Seconds that running streams get when it stops."),
]
CoreCaOption = Annotated[
    Path | None,
    typer.Option("--core-ca", envvar="TRUNKLINE_CORE_CA", help="Speak TLS to the core, trusting this CA.", dir_okay=False),
]
CoreCertOption = Annotated[
    Path | None,
    typer.Option("--core-cert", envvar="TRUNKLINE_CORE_CERT", help="Show the core this certificate.", dir_okay=False),
]
CoreKeyOption = Annotated[
    Path | None, typer.Option("--core-key", envvar="TRUNKLINE_CORE_KEY", help="The certificate's key.", dir_okay=False)
]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; None: what the configuration says."""

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    grpc_port: int | None = None
    metrics_port: int | None = None
    data_dir: Path | None = None
    workers: int | None = None
    drain_s: float | None = None


@app.callback()
def serve(
    context: typer.Context,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    grpc_port: GrpcPortOption = None,
    metrics_port: MetricsPortOption = None,
    data_dir: DataDirOption = None,
    workers: WorkersOption = None,
    drain: DrainOption = None,
) -> None:
    """Start the gateway, all in one process: HTTP front and gRPC server."""
    if context.invoked_subcommand is None:
        _run(Options(config, host, port, grpc_port, metrics_port, data_dir, workers, drain), front=True, core=None)


@app.command("core")
def serve_core(
    config: ConfigOption = None,
    host: HostOption = None,
    grpc_port: GrpcPortOption = None,
    metrics_port: MetricsPortOption = None,
    data_dir: DataDirOption = None,
    workers: WorkersOption = None,
    drain: DrainOption = None,
) -> None:
    """Start the gRPC server alone."""
    options = Options(config, host, None, grpc_port, metrics_port, data_dir, workers, drain)
    _run(options, front=False, core=None)


@app.command("http")
def serve_http(
    core: Annotated[str, typer.Option("--core", envvar="TRUNKLINE_CORE", help="The core: HOST:PORT or unix:/PATH.")],
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    metrics_port: MetricsPortOption = None,
    workers: WorkersOption = None,
    drain: DrainOption = None,
    core_ca: CoreCaOption = None,
    core_cert: CoreCertOption = None,
    core_key: CoreKeyOption = None,
) -> None:
    """Start the HTTP front alone, before a core elsewhere."""
    try:
        check_target(core)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--core") from error
    tls = read_tls("--core", core_ca, core_cert, core_key)
    _run(Options(config, host, port, None, metrics_port, None, workers, drain), front=True, core=core, core_tls=tls)


def _run(options: Options, front: bool, core: str | None, core_tls: Tls | None = None) -> None:
    try:
        loaded = load(options.config, os.environ, provider_kinds())
    except ConfigError as error:
        _fail(str(error))
    said = options.host, options.port, options.grpc_port, options.metrics_port, options.workers
    loaded = replace(loaded, settings=fold(loaded.settings, *said))
    server = loaded.settings.server
    drain_s = server.drain_s if options.drain_s is None else options.drain_s
    worker = os.environ.get(WORKER_VARIABLE)
    addresses = Addresses.of(server)
    if not front:
        addresses = replace(addresses, port=None)
    if core is not None:
        addresses = replace(addresses, grpc_port=None)
    faults = find_start_faults(loaded.settings, addresses)
    if faults:
        _fail("\n".join(faults))
    kept = None if core is not None else _data_dir(options, os.environ)
    first = None if core is not None else _first_key(loaded, options, os.environ)
    digest, plain = (None, None) if first is None else (first.digest, first.plain)

    def announce(found: Addresses) -> None:
        nonlocal plain
        _announce(found, plain, core)
        plain = None

    try:
        if server.workers > 1 and worker is None:
            try:
                begin_log(loaded)
            except OSError as error:
                _fail(str(error))
            code = uvloop.run(supervise(sys.argv[1:], server.workers, lambda: announce(addresses), _died))
        else:
            told = announce if worker is None else None
            code = uvloop.run(_serve(loaded, digest, addresses, core, core_tls, drain_s, told, kept))
    finally:
        if plain is not None and kept is not None:
            forget_first_key(kept)
    raise typer.Exit(code)


async def _serve(
    loaded: Loaded,
    first_key: bytes | None,
    addresses: Addresses,
    core: str | None,
    core_tls: Tls | None,
    drain_s: float,
    announce: Callable[[Addresses], None] | None,
    kept: Path | None,
) -> int:
    """Serves until a signal; gives the exit code. A worker announces nothing: it tells its parent, and ends with it."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)  # a second signal means now
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    if announce is None:
        on_parent_death(stop.set)
    try:
        gateway = await Gateway.start(loaded, first_key, addresses, core, core_tls, kept)
    except (OSError, SelectionFileError, StorageError, UnheldLimitsError) as error:
        _tell_error(str(error))
        return CANNOT_START if announce is None else 1
    if announce is None:
        tell_ready()
    else:
        announce(gateway.addresses)
    settle()
    housekeeping = asyncio.ensure_future(give_back())
    await stop.wait()
    housekeeping.cancel()
    await gateway.stop(drain_s)
    return 0


def _died(worker: int, code: int) -> None:
    structlog.get_logger("trunkline.workers").error("worker_ended", worker=worker, code=code)


def _first_key(loaded: Loaded, options: Options, environment: Mapping[str, str]) -> FirstKey | None:
    """The key that is there when the configuration has none."""
    if loaded.settings.auth.api_keys:
        return None
    try:
        return ensure_first_key(options.data_dir or data_dir(environment))
    except ConfigError as error:
        _fail(str(error))


def _data_dir(options: Options, environment: Mapping[str, str]) -> Path | None:
    """Where the gateway keeps what must last; None where nothing says, which a configuration with keys can do without."""
    try:
        return options.data_dir or data_dir(environment)
    except ConfigError:
        return None


def _announce(addresses: Addresses, key: str | None, core: str | None) -> None:
    """Says where the gateway is and gives a line to try. Plain text: people copy it."""
    host = _shown(addresses.host)
    lines = [f"trunkline {VERSION}"]
    if addresses.port is not None:
        lines.append(f"  HTTP     http://{host}:{addresses.port}/v1")
    if addresses.grpc_port is not None:
        lines.append(f"  gRPC     {_shown(addresses.grpc_host or addresses.host)}:{addresses.grpc_port}")
    if addresses.metrics_port is not None:
        lines.append(f"  probes   http://{host}:{addresses.metrics_port}/health")
    if core is not None:
        lines.append(f"  core     {core}")
    if key is not None:
        lines.append(f"  API key  {key}   (shown this once; it is stored hashed)")
    if addresses.port is not None:
        shown = key or "$TRUNKLINE_API_KEY"
        lines += [
            "Try it:",
            f"  curl http://{host}:{addresses.port}/v1/chat/completions -H 'Content-Type: application/json' "
            f'-H "Authorization: Bearer {shown}" '
            """-d '{"model": "echo", "messages": [{"role": "user", "content": "Hello there"}]}'""",
        ]
    print("\n".join(lines), flush=True)


def _shown(host: str) -> str:
    """A host as others write it that want to go there."""
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"[{host}]" if ":" in host else host


def _fail(message: str) -> NoReturn:
    _tell_error(message)
    raise typer.Exit(1)


def _tell_error(message: str) -> None:
    """Says why it cannot start, plainly: what the other commands write with takes memory that is then never used again."""
    typer.echo(f"{typer.style('error:', fg='red')} {message}", err=True)


def build_app() -> typer.Typer:
    """The subcommands."""
    return app
