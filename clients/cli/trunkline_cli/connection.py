"""How commands find a gateway: the options that say where it is, and the client made of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from trunkline_cli.certificates import read_tls
from trunkline_cli.failure import explain
from trunkline_cli.terminal import open_console, print_line
from trunkline_client import Client, Tls, TrunklineError


@dataclass(frozen=True, slots=True)
class Connection:
    """What the options say; each attribute is one."""

    target: Annotated[
        str,
        typer.Option(
            "--target", envvar="TRUNKLINE_TARGET", help="Where the gateway's gRPC port is: HOST:PORT or unix:/PATH."
        ),
    ] = "127.0.0.1:50051"
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            envvar="TRUNKLINE_API_KEY",
            help="The key to show. In the variable it stays out of the list of processes.",
            show_default=False,
        ),
    ] = None
    tls: Annotated[
        bool, typer.Option("--tls/--no-tls", envvar="TRUNKLINE_TLS", help="Encrypt, and trust the usual authorities.")
    ] = False
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            "--tls-ca",
            envvar="TRUNKLINE_TLS_CA",
            help="Encrypt, and trust only the authorities in this PEM file.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
        ),
    ] = None
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert",
            envvar="TRUNKLINE_TLS_CERT",
            help="Encrypt, and show this certificate.",
            dir_okay=False,
            show_default=False,
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        typer.Option(
            "--tls-key", envvar="TRUNKLINE_TLS_KEY", help="The certificate's key.", dir_okay=False, show_default=False
        ),
    ] = None
    timeout_s: Annotated[
        float,
        typer.Option(
            "--timeout", envvar="TRUNKLINE_TIMEOUT", min=0.001, max=86_400, help="How many seconds an answer may take."
        ),
    ] = 30.0

    @contextmanager
    def open(self) -> Iterator[Client]:
        """A client for the block. A call that fails in it ends the command with one line and the exit code 1."""
        try:
            with self._client() as client:
                yield client
        except TrunklineError as error:
            self.report(error)
            raise typer.Exit(1) from error
        except UnicodeEncodeError as error:  # the output replaces what it cannot have
            raise typer.BadParameter("a text that is given is not UTF-8") from error

    def report(self, error: TrunklineError) -> None:
        """Says in one line what went wrong, and what may help."""
        print_line(open_console(stderr=True), explain(error, self.target), "red")

    def _client(self) -> Client:
        tls = read_tls("--tls", self.tls_ca, self.tls_cert, self.tls_key) or (Tls() if self.tls else None)
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise typer.BadParameter("a key has visible ASCII characters only", param_hint="--api-key")
        try:
            return Client(self.target, api_key=self.api_key, tls=tls, timeout_s=self.timeout_s)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--target") from error
