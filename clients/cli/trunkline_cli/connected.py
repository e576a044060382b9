"""Commands that ask a gateway: each is a function of a connection, or of a client, and gets the options that say where the
gateway is."""

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Annotated, Concatenate, ParamSpec, TypeVar, cast

import typer

from trunkline_cli.connection import Connection
from trunkline_client import Client

P = ParamSpec("P")
R = TypeVar("R")

_JSON = Parameter(
    "as_json",
    Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option("--json", envvar="TRUNKLINE_JSON", help="Write JSON, as the REST API has it.", show_default=False),
    ],
)


def connected(command: Callable[Concatenate[Connection, P], None], timeout_s: float = 30.0) -> Callable[..., None]:
    """A command that is given a connection.

    Args:
        command: its parameters after the connection are the command's own.
        timeout_s: how long an answer may take where the options do not say.
    """
    return _connected(command, _after_first(command), timeout_s)


def asking(
    command: Callable[Concatenate[Client, P], R],
    show: Callable[[R, bool], None],
    arguments: Iterable[Parameter] = (),
) -> Callable[..., None]:
    """A command that asks a gateway and shows what came of it.

    Args:
        command: asks; its parameters after the client are the command's own, but those that `arguments` has.
        show: shows what it returns, as JSON where the second argument says so.
        arguments: parameters of `command` as they are to be read from the command line.
    """
    known = {parameter.name: parameter for parameter in arguments}

    def ask(connection: Connection, /, as_json: bool, **given: object) -> None:
        with connection.open() as client:
            show(cast(Callable[..., R], command)(client, **given), as_json)

    ask.__doc__ = command.__doc__
    return _connected(ask, [*(known.get(each.name, each) for each in _after_first(command)), _JSON])


def _connected(command: Callable[..., None], own: Iterable[Parameter], timeout_s: float = 30.0) -> Callable[..., None]:
    """A command with parameters of its own and those of a connection, which it is given."""
    where = dict(inspect.signature(Connection).parameters)
    where["timeout_s"] = where["timeout_s"].replace(default=timeout_s)
    parameters = [*own, *where.values()]

    def run(**given: object) -> None:
        connection = cast(Callable[..., Connection], Connection)(**{name: given.pop(name) for name in where})
        command(connection, **given)

    run.__doc__ = command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(run)["__signature__"] = inspect.Signature([each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters])
    return run


def _after_first(function: Callable[..., object]) -> list[Parameter]:
    return list(inspect.signature(function).parameters.values())[1:]
