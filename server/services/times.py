"""Times and spans of time, as numbers -> the contract's messages."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(microseconds: int) -> Timestamp:
    """A time since the epoch."""
    made = Timestamp()
    made.FromMicroseconds(microseconds)
    return made


def timestamp_to_ms(seconds: float) -> Timestamp:
    """A time since the epoch, to the millisecond."""
    made = Timestamp()
    made.FromMilliseconds(round(seconds * 1000))
    return made


def duration(seconds: float) -> Duration:
    """A span of time, to the microsecond."""
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made


def duration_to_ms(seconds: float) -> Duration:
    """A span of time, to the millisecond."""
    made = Duration()
    made.FromMilliseconds(round(seconds * 1000))
    return made
