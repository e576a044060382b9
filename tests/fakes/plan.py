"""What goes over the wire for one answer, as a list of steps that faults can change before it is carried out.

A dialect makes a plan without faults; each fault turns one plan into another; the vendor carries the last one out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the headers."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the body, written at once."""

    data: bytes
    events: int = 1  # how many server-sent events end in these bytes; a unary body counts as one
    role: Literal["event", "end"] = "event"  # `end` is what closes a stream properly: `[DONE]`, `message_stop`


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence until the test releases it."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The end of the connection: in order (FIN), or by a TCP reset."""

    reset: bool


Step: TypeAlias = Head | Data | Pause | Drop


@dataclass(frozen=True, slots=True)
class VendorError:
    """An error as the test names it; a dialect gives it its own form."""

    status: int
    message: str
    type: str | None = None  # the dialect's own name for the status, when None
    param: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One whole answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    stream: bool
    error_body: Callable[[VendorError], bytes]  # the dialect's unary error
    error_event: Callable[[VendorError], bytes]  # the dialect's error within a stream

    def with_header(self, name: str, value: str) -> "Plan":
        """Returns the plan with the header set, in place of one of that name."""
        kept = tuple(field for field in self.headers if field[0].lower() != name.lower())
        return replace(self, headers=(*kept, (name, value)))

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def map_data(self, change: Callable[[Data], tuple[Step, ...]]) -> "Plan":
        """Returns the plan with every portion of the body replaced by what the function makes of it."""
        steps: list[Step] = []
        for step in self.steps:
            steps.extend(change(step) if isinstance(step, Data) else (step,))
        return replace(self, steps=tuple(steps))

    def with_body(self, data: bytes, content_type: str, status: int | None = None) -> "Plan":
        """Returns the plan with a unary body in place of whatever it had."""
        unary = replace(self, status=status or self.status, steps=(Head(), Data(data)), stream=False)
        return unary.with_header("content-type", content_type)

    def split(self, after_events: int | None, after_bytes: int | None) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Returns the steps before and after a place in the answer.

        Args:
            after_events: the place follows that many whole events; 0 follows the head.
            after_bytes: the place follows that many bytes of the body; 0 follows the head.
            Without either the place is before the head.
        """
        if after_events is not None:
            return self._split(after_events, lambda data: data.events)
        if after_bytes is not None:
            return self._within(after_bytes)._split(after_bytes, lambda data: len(data.data))
        return (), self.steps

    def _split(self, count: int, measure: Callable[[Data], int]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        seen = 0
        index = self.steps.index(Head()) + 1
        while seen < count:
            if index == len(self.steps):
                raise ValueError(f"the answer ends after {seen}, before the place that was asked for: {count}")
            step = self.steps[index]
            seen += measure(step) if isinstance(step, Data) else 0
            index += 1
        return self.steps[:index], self.steps[index:]

    def _within(self, place: int) -> "Plan":
        """Returns the plan with a portion of its own beginning at that byte of the body."""
        start = 0

        def cut(portion: Data) -> tuple[Step, ...]:
            nonlocal start
            inside = place - start
            start += len(portion.data)
            if not 0 < inside < len(portion.data):
                return (portion,)
            return replace(portion, data=portion.data[:inside], events=0), replace(portion, data=portion.data[inside:])

        return self.map_data(cut)

    def body_length(self) -> int:
        return sum(len(step.data) for step in self.steps if isinstance(step, Data))

    def head_bytes(self) -> bytes:
        """Returns the status line and the headers as they go over the wire."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
