"""What the commands of tenants, users, keys, quotas, budgets and prices have in common: how records are named, shown and
changed."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Concatenate, Generic, ParamSpec, TypeVar

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from gateway_http.transcoding.json_rules import to_json
from trunkline.v1.tenancy_pb2 import ApiKey, LimitPeriod, Tenant, User
from trunkline_cli.connected import asking
from trunkline_cli.terminal import add_row, open_console, open_table
from trunkline_client import Client

M = TypeVar("M", bound=Message)
P = ParamSpec("P")
R = TypeVar("R")

_CONTROLS = {code: f"\\u{code:04x}" for code in range(127, 160)}
"""Control characters that JSON need not escape, escaped."""

Cells = Mapping[str, Callable[[M], str | Text]]
"""What is shown of a record, by heading."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[M]):
    """Records of one kind.

    Attributes:
        collection: the first part of their names.
        noun: what one is called.
        columns: what a list shows of each.
        rows: what is shown of one.
        more: what is shown of one after that, by heading, where it is there.
        argument: what the help says of a record's id.
    """

    collection: str
    noun: str
    columns: Cells[M]
    rows: Cells[M]
    more: Callable[[M], Mapping[str, str]] = lambda _: {}
    argument: str = ""

    def show(self, record: M, as_json: bool = False) -> None:
        """Shows one: a line for each of its fields."""
        if as_json:
            show_json(to_json(record))
            return
        table = open_table("", "")
        table.show_header = False
        for heading, cell in self.rows.items():
            add_row(table, heading, cell(record))
        for heading, text in self.more(record).items():
            add_row(table, heading, text)
        open_console().print(table)

    def show_all(self, records: Iterable[M], as_json: bool = False) -> None:
        """Shows them: a line for each."""
        if as_json:
            show_json([to_json(record) for record in records])
            return
        table = open_table(*self.columns)
        for record in records:
            add_row(table, *(cell(record) for cell in self.columns.values()))
        open_console().print(table)


class Group(Generic[M]):
    """The commands of one kind. `app` has them.

    Args:
        kind: of which.
        help: what they are about.
    """

    def __init__(self, kind: Kind[M], help: str) -> None:
        self.app = typer.Typer(help=help, no_args_is_help=True)
        self._kind = kind
        text = kind.argument or f"The {kind.noun}'s id."
        argument = typer.Argument(metavar=kind.noun.upper(), help=text, show_default=False)
        self._record = Parameter("record", Parameter.KEYWORD_ONLY, annotation=Annotated[str, argument])

    def one(self, verb: str, command: Callable[Concatenate[Client, P], M]) -> None:
        """A command that ends with a record. A parameter `record` is the record's id."""
        self.add(verb, command, self._kind.show)

    def many(self, verb: str, command: Callable[Concatenate[Client, P], Iterable[M]]) -> None:
        """A command that ends with records."""
        self.add(verb, command, self._kind.show_all)

    def change(self, verb: str, change: Callable[[Client, str], M], help: str) -> None:
        """A command that does something with a record, given its full name, and ends with the record."""
        collection = self._kind.collection

        def command(client: Client, record: str) -> M:
            return change(client, full_name(collection, record))

        self.add(verb, command, self._kind.show, help)

    def switch(self, enable: Callable[[Client, str, bool], M], disabled: str) -> None:
        """The commands that enable and disable a record, given its full name, and end with the record.

        Args:
            enable: enables it where the last argument says so, and else disables it.
            disabled: what the help says of a disabled one.
        """
        noun = self._kind.noun
        self.change("enable", lambda client, name: enable(client, name, True), f"Enable a {noun}.")
        self.change("disable", lambda client, name: enable(client, name, False), f"Disable a {noun}. {disabled}")

    def end(self, delete: Callable[[Client, str], None], help: str) -> None:
        """The command that deletes a record, given its full name."""

        def command(client: Client, record: str) -> None:
            delete(client, full_name(self._kind.collection, record))

        self.add("delete", command, lambda _, __: None, help)

    def add(
        self,
        verb: str,
        command: Callable[Concatenate[Client, P], R],
        show: Callable[[R, bool], None],
        help: str | None = None,
    ) -> None:
        """Any other command."""
        self.app.command(verb, help=help)(asking(command, show, [self._record]))


def full_name(collection: str, given: str) -> str:
    """The resource name: `acme` and `tenants/acme` are both `tenants/acme`; nothing stays nothing."""
    return given if not given or given.startswith(f"{collection}/") else f"{collection}/{given}"


def id_of(name: str) -> str:
    """The id in a resource name."""
    return name.partition("/")[2]


def state(record: Tenant | User | ApiKey) -> Text:
    """Whether it is enabled."""
    return Text("enabled", "green") if record.enabled else Text("disabled", "yellow")


def when(record: Message, field: str, absent: str = "-") -> str:
    """The time in a record's field, in UTC, to the second."""
    if not record.HasField(field):
        return absent
    time: Timestamp = getattr(record, field)
    return time.ToDatetime().isoformat(sep=" ", timespec="seconds")


def period(value: LimitPeriod) -> str:
    """After what time a limit begins anew."""
    return LimitPeriod.Name(value).removeprefix("LIMIT_PERIOD_").lower()


def show_json(value: object) -> None:
    """Writes JSON, in which nobody's text commands the terminal, and no letter is lost that the output cannot have."""
    print(json.dumps(value, indent=2, ensure_ascii=sys.stdout.encoding != "utf-8").translate(_CONTROLS))
