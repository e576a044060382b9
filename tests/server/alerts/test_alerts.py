"""The alerts of a process: what fires, since when, and what is logged of it."""

import re

import pytest
import structlog
from structlog.testing import capture_logs

from server.alerts.alert import Severity
from server.alerts.alerts import Alerts
from tests.server.limits.turned_clock import START, TurnedClock

RULE = "disk_full"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def alerts(clock: TurnedClock) -> Alerts:
    structlog.reset_defaults()  # another test may have let warnings be ignored
    return Alerts(clock, most=2)


def test_an_alert_fires_until_it_is_resolved(alerts: Alerts) -> None:
    alerts.fire(RULE, Severity.ERROR, "It is full.", {"disk": "a"})
    (alert,) = alerts.firing
    assert (alert.rule, alert.severity, alert.message, alert.labels) == (RULE, "error", "It is full.", {"disk": "a"})
    assert alert.start_time == START * 1e6
    assert re.fullmatch(r"[a-z0-9-]{1,64}", alert.id)
    alerts.resolve(RULE, {"disk": "a"})
    assert alerts.firing == []


def test_what_fires_again_is_the_same_alert_with_what_is_said_now(alerts: Alerts, clock: TurnedClock) -> None:
    alerts.fire(RULE, Severity.WARNING, "It is nearly full.")
    (before,) = alerts.firing
    clock.time += 60
    alerts.fire(RULE, Severity.ERROR, "It is full.")
    (after,) = alerts.firing
    assert (after.id, after.start_time) == (before.id, before.start_time)
    assert (after.severity, after.message) == ("error", "It is full.")


def test_labels_tell_alerts_of_one_rule_apart(alerts: Alerts) -> None:
    for disk in ("a", "b"):
        alerts.fire(RULE, Severity.ERROR, "It is full.", {"disk": disk})
    assert len({alert.id for alert in alerts.firing}) == 2
    alerts.resolve(RULE, {"disk": "a"})
    alerts.resolve(RULE)
    assert [alert.labels["disk"] for alert in alerts.firing] == ["b"]


def test_each_end_is_one_line_in_the_log(alerts: Alerts, clock: TurnedClock) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            alerts.fire(RULE, Severity.ERROR, "It is full.", {"disk": "a"})
        clock.time += 1.5
        for _ in range(3):
            alerts.resolve(RULE, {"disk": "a"})
    begun, ended = lines
    assert begun["event"] == "alert_fires"
    assert (begun["rule"], begun["severity"], begun["text"]) == (RULE, "error", "It is full.")
    assert (begun["labels"], begun["kept"]) == ({"disk": "a"}, True)
    assert (ended["event"], ended["rule"], ended["after_s"]) == ("alert_ends", RULE, 1.5)


def test_no_more_are_kept_than_there_is_room_for(alerts: Alerts) -> None:
    with capture_logs() as lines:
        for disk in ("a", "b", "c"):
            alerts.fire(RULE, Severity.ERROR, "It is full.", {"disk": disk})
    assert [alert.labels["disk"] for alert in alerts.firing] == ["a", "b"]
    assert [line["kept"] for line in lines] == [True, True, False]
