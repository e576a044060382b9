"""`trunkline version`: which version this is."""

from importlib import metadata

import typer


def version() -> None:
    """Show the version."""
    typer.echo(f"trunkline {metadata.version('trunkline')}")
