"""Periods begin and end where the calendar says, in UTC."""

from datetime import UTC, datetime

import pytest

from server.limits.periods import Period, find_span


def micros(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("period", "time", "start", "end"),
    [
        (Period.DAILY, "2026-11-21T07:00:00", "2026-11-21", "2026-11-22"),
        (Period.DAILY, "2026-11-21T00:00:00", "2026-11-21", "2026-11-22"),
        (Period.DAILY, "2026-12-31T23:59:59", "2026-12-31", "2027-01-01"),
        (Period.WEEKLY, "2026-11-21T07:00:00", "2026-11-16", "2026-11-23"),
        (Period.WEEKLY, "2026-11-16T00:00:00", "2026-11-16", "2026-11-23"),
        (Period.WEEKLY, "2026-11-22T23:59:59", "2026-11-16", "2026-11-23"),
        (Period.MONTHLY, "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        (Period.MONTHLY, "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
    ],
)
def test_a_period_is_the_calendars(period: Period, time: str, start: str, end: str) -> None:
    span = find_span(period, micros(time))
    assert (span.start, span.end) == (micros(start), micros(end))


def test_a_period_holds_its_first_moment_and_not_the_next_ones() -> None:
    span = find_span(Period.DAILY, micros("2026-11-21"))
    assert (span.start in span, span.start - 1 in span, micros("2026-11-22") in span) == (True, False, False)


def test_total_has_no_end() -> None:
    assert 10**18 in find_span(Period.TOTAL, 0)
