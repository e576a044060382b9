"""Commands that ask a gateway: each is a function of a client, and gets the options that say where the gateway is."""

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Annotated, Concatenate, ParamSpec, TypeVar, cast

import typer

from trunkline_cli.connection import (
    DEFAULT_TARGET,
    ApiKeyOption,
    Connection,
    TargetOption,
    TimeoutOption,
    TlsCaOption,
    TlsOption,
)
from trunkline_client import Client

P = ParamSpec("P")
R = TypeVar("R")

_JSON = "as_json"
JsonOption = Annotated[
    bool, typer.Option("--json", envvar="TRUNKLINE_JSON", help="Write JSON, as the REST API has it.", show_default=False)
]


def connected(
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
    own = [known.get(each.name, each) for each in list(inspect.signature(command).parameters.values())[1:]]
    common = list(inspect.signature(_connection).parameters.values())
    parameters = [*own, Parameter(_JSON, Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption), *common]

    def run(**given: object) -> None:
        as_json = bool(given.pop(_JSON))
        where = {each.name: given.pop(each.name) for each in common}
        with cast(Callable[..., Connection], _connection)(**where).open() as client:
            show(cast(Callable[..., R], command)(client, **given), as_json)

    run.__doc__ = command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(run)["__signature__"] = inspect.Signature([each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters])
    return run


def _connection(
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> Connection:
    return Connection(target, api_key, tls, tls_ca, timeout)
