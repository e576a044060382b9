"""The `trunkline` command: its parts, put together."""

import sys

import typer

from trunkline_cli.chat import chat
from trunkline_cli.check import check
from trunkline_cli.db import app as db_app
from trunkline_cli.explain import explain
from trunkline_cli.keys import build_app as build_keys
from trunkline_cli.models import models
from trunkline_cli.serve import app as serve_app
from trunkline_cli.tenants import build_app as build_tenants
from trunkline_cli.users import build_app as build_users
from trunkline_cli.version import version

_INTERRUPTED = 130


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    app = typer.Typer(
        name="trunkline",
        help="An LLM gateway: one contract for many providers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.add_typer(serve_app, name="serve")
    app.command()(check)
    app.command()(chat)
    app.command()(models)
    app.command()(explain)
    app.add_typer(db_app, name="db")
    app.add_typer(build_tenants(), name="tenants")
    app.add_typer(build_users(), name="users")
    app.add_typer(build_keys(), name="keys")
    app.command()(version)
    return app


def main() -> None:
    """Runs the command that the arguments name."""
    try:
        build_app()()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
