"""An alert, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much an alert matters."""

    INFO = "info"
    """Good to know."""
    WARNING = "warning"
    """Something does not work as configured."""
    ERROR = "error"
    """Requests fail."""
    CRITICAL = "critical"
    """Nothing works."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that fires.

    Attributes:
        id: names it among all alerts: lower-case letters, digits and hyphens.
        rule: the name of what raised it.
        severity: how much it matters.
        message: what it says, without a secret.
        start_time: since when it fires, in microseconds since the epoch.
        labels: what it is about, without a secret.
    """

    id: str
    rule: str
    severity: Severity
    message: str
    start_time: int
    labels: Mapping[str, str]
