"""How a configuration that cannot be used is told: every fault at once, with its place, and never a value."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN_FAULTS = 50


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file. `path` is dotted, empty for the whole; line and column count from 1."""

    path: str
    line: int | None
    column: int | None
    message: str


class ConfigError(Exception):
    """A configuration that cannot be used; `faults` in the order of the file."""

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        super().__init__(file, tuple(faults))
        self.file = file
        self.faults = sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0))

    def __str__(self) -> str:
        """Prints one line per fault: `config.yaml:12:5: providers[0].timeout: must be greater than 0`."""
        lines = [self._line(fault) for fault in self.faults[:_SHOWN_FAULTS]]
        hidden = len(self.faults) - len(lines)
        return "\n".join([*lines, f"... and {hidden} more"] if hidden else lines)

    def _line(self, fault: Fault) -> str:
        place = self.file if fault.line is None else f"{self.file}:{fault.line}:{fault.column}"
        return ": ".join(part for part in (place, fault.path, fault.message) if part)
