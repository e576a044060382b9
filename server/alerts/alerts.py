"""The alerts of this process: raised and ended by its own parts, kept in memory, logged once at each end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from secrets import token_hex

import structlog

from server.alerts.alert import Alert, Severity
from server.clock import Clock

MOST_ALERTS = 1000

Key = tuple[str, frozenset[tuple[str, str]]]


class Alerts:
    """What fires now. Used by one loop alone.

    Args:
        clock: tells since when.
        most: how many may fire at once; what comes on top is logged and not kept.
    """

    def __init__(self, clock: Clock, most: int = MOST_ALERTS) -> None:
        self._clock = clock
        self._most = most
        self._firing: dict[Key, Alert] = {}
        self._log = structlog.get_logger("trunkline.alerts")

    @property
    def firing(self) -> Sequence[Alert]:
        """What fires now, oldest first."""
        return list(self._firing.values())

    def fire(self, rule: str, severity: Severity, message: str, labels: Mapping[str, str] | None = None) -> None:
        """Lets an alert fire. One that fires already is the same alert still, with what is said of it now.

        Args:
            rule: the name of what raises it.
            severity: how much it matters.
            message: what it says, without a secret.
            labels: what it is about; with the rule they tell it from others.
        """
        labels = dict(labels or {})
        key = _key(rule, labels)
        before = self._firing.get(key)
        if before is not None:
            self._firing[key] = replace(before, severity=severity, message=message)
            return
        kept = len(self._firing) < self._most
        if kept:
            start_time = round(self._clock.now() * 1e6)
            self._firing[key] = Alert(f"a-{token_hex(8)}", rule, severity, message, start_time, labels)
        self._log.warning("alert_fires", rule=rule, severity=severity.value, text=message, labels=labels, kept=kept)

    def resolve(self, rule: str, labels: Mapping[str, str] | None = None) -> None:
        """Ends an alert; one that does not fire stays as it is."""
        ended = self._firing.pop(_key(rule, labels or {}), None)
        if ended is not None:
            seconds = round(self._clock.now() - ended.start_time / 1e6, 3)
            self._log.info("alert_ends", rule=rule, labels=dict(ended.labels), after_s=seconds)


def _key(rule: str, labels: Mapping[str, str]) -> Key:
    return rule, frozenset(labels.items())
