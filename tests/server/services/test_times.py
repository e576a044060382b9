"""How times and spans of time are told."""

from server.services.times import duration, duration_to_ms, timestamp, timestamp_to_ms


def test_a_time_in_microseconds_is_told_whole() -> None:
    assert timestamp(1_700_000_000_123_456).ToMicroseconds() == 1_700_000_000_123_456


def test_a_clocks_time_is_told_to_the_millisecond() -> None:
    assert timestamp_to_ms(1_700_000_000.1236).ToMicroseconds() == 1_700_000_000_124_000


def test_a_span_of_time_is_told_to_the_microsecond_or_to_the_millisecond() -> None:
    assert duration(1.2345678).ToMicroseconds() == 1_234_568
    assert duration_to_ms(1.2345678).ToMicroseconds() == 1_235_000
