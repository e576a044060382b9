"""How tenants, users and keys are named on the command line, and shown."""

from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from trunkline.v1.tenancy_pb2 import ApiKey, Tenant, User
from trunkline_cli.terminal import add_row, open_console, open_table


def full_name(collection: str, given: str) -> str:
    """The resource name: `acme` and `tenants/acme` are both `tenants/acme`; nothing stays nothing."""
    return given if not given or given.startswith(f"{collection}/") else f"{collection}/{given}"


def state(record: Tenant | User | ApiKey) -> Text:
    """Whether it is enabled."""
    return Text("enabled", "green") if record.enabled else Text("disabled", "yellow")


def when(time: Timestamp, absent: str = "-") -> str:
    """A time in UTC, to the second."""
    return time.ToDatetime().isoformat(sep=" ", timespec="seconds") if time.ByteSize() else absent


def show_record(rows: Mapping[str, str | Text]) -> None:
    """Shows one thing: a line for each of its fields."""
    table = open_table("", "")
    table.show_header = False
    for name, value in rows.items():
        add_row(table, name, value)
    open_console().print(table)
