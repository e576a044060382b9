"""Options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="TRUNKLINE_CONFIG", help="The configuration. Without one: the defaults.", show_default=False
    ),
]
IdOption = Annotated[
    str,
    typer.Option(
        "--id",
        envvar="TRUNKLINE_ID",
        help="Its id: lower-case letters, digits, hyphens. Without one: one is made.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str, typer.Option("--name", envvar="TRUNKLINE_NAME", help="What to call it. Without one: its id.", show_default=False)
]
OfTenantOption = Annotated[
    str, typer.Option("--tenant", envvar="TRUNKLINE_TENANT", help="Only those of this tenant.", show_default=False)
]
MostOption = Annotated[
    int,
    typer.Option(
        "--most", envvar="TRUNKLINE_MOST", min=0, max=1_000_000_000, help="How many at most, the newest first. 0: all."
    ),
]
SubjectOption = Annotated[
    str,
    typer.Option(
        "--subject",
        envvar="TRUNKLINE_SUBJECT",
        help="Whose it is: tenants/ID, users/ID or api_keys/ID; a budget's also models/MODEL, or global.",
        show_default=False,
    ),
]
OfSubjectOption = Annotated[
    str, typer.Option("--subject", envvar="TRUNKLINE_SUBJECT", help="Only those of this subject.", show_default=False)
]


class Period(StrEnum):
    """After what time a limit begins anew."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    TOTAL = "total"


PeriodOption = Annotated[
    Period,
    typer.Option("--period", envvar="TRUNKLINE_PERIOD", help="After what time it begins anew, in UTC.", show_default=False),
]
