"""The `trunkline` command: its parts, put together.

A part is loaded when it is asked for: whoever wants to chat need not wait for all that serves.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from io import TextIOWrapper
from typing import cast

import typer

from trunkline_cli.absence import absent

_INTERRUPTED = 130

COMMANDS = ("check", "chat", "models", "explain", "audit", "version")
"""Each a function of its module's name."""

GROUPS = ("serve", "db", "tenants", "users", "keys", "quotas", "budgets", "prices", "completions")
"""Each a module that builds its commands."""

_UNUSED = {"serve": ("rich", "trustme")}
"""What a part would be given and has no use for. Of a gateway's memory, these two would take 15 MB: structlog shows
tracebacks with Rich where it is there, and Sanic makes certificates with trustme."""


def build_app(names: Iterable[str] = (*COMMANDS, *GROUPS)) -> typer.Typer:
    """The command with the subcommands of these names."""
    app = typer.Typer(
        name="trunkline",
        help="An LLM gateway: one contract for many providers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_nothing)
    for name in names:
        with absent(_UNUSED.get(name, ())):
            module = import_module(f"trunkline_cli.{name}")
        if name in COMMANDS:
            app.command(name)(getattr(module, name))
        else:
            app.add_typer(cast(typer.Typer, module.build_app()), name=name)
    return app


def _nothing() -> None:
    """An LLM gateway: one contract for many providers."""


def main() -> None:
    """Runs the command that the arguments name."""
    asked = [name for name in sys.argv[1:2] if name in (*COMMANDS, *GROUPS)]
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # answers have more letters than some locales
    try:
        build_app(asked or (*COMMANDS, *GROUPS))(prog_name="trunkline")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
