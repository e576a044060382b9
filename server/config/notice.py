"""What the writer of a configuration should know although it loads."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Notice:
    """One remark; `code` is stable, `path` and `line` say where (empty and None without a file)."""

    code: str
    path: str
    line: int | None
    message: str
    severity: Literal["info", "warning"] = "warning"
