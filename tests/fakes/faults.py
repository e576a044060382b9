"""What can go wrong between a vendor and its client, each as a change to the plan of an answer.

Faults compose: however they are listed, they are applied by rank, what the body says before how it is coded, and that
before where it breaks. A place is named by `after_events` or `after_bytes` of the body (0: right after the head; neither:
before the head, so that the client gets no answer at all).
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

from tests.fakes.plan import Data, Drop, Head, Pause, Plan, Step, VendorError

BODY, EVENTS, FORM, CODING, PORTIONS, BREAK = range(6)
HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"


@runtime_checkable
class Fault(Protocol):
    """One thing that goes wrong."""

    @property
    def rank(self) -> int:
        """Where the fault stands among others: BODY first, BREAK last."""

    def apply(self, plan: Plan) -> Plan:
        """Returns the plan with the fault in it; raises ValueError when that plan has no place for it."""


def with_faults(plan: Plan, faults: Iterable[Fault]) -> Plan:
    """Returns the plan with all faults in it, and its framing header as the whole body wants it."""
    ranked = sorted(faults, key=lambda fault: fault.rank)
    for fault in ranked:
        if fault.rank < BREAK:
            plan = fault.apply(plan)
    plan = _framed(plan)
    for fault in ranked:
        if fault.rank == BREAK:
            plan = fault.apply(plan)
    return plan


def _framed(plan: Plan) -> Plan:
    if plan.header("content-length") or plan.header("transfer-encoding") or plan.status in (204, 304):
        return plan
    if plan.stream:
        return plan.with_header("transfer-encoding", "chunked")
    return plan.with_header("content-length", str(plan.body_length()))


@dataclass(frozen=True, slots=True)
class HtmlOk:
    """An HTML page with status 200, as a proxy in between answers."""

    rank: ClassVar[int] = BODY

    def apply(self, plan: Plan) -> Plan:
        return plan.with_body(HTML, "text/html; charset=utf-8", status=200)


@dataclass(frozen=True, slots=True)
class BadJson:
    """A body that says it is JSON and ends in the middle of it, with the length that it has."""

    rank: ClassVar[int] = BODY

    def apply(self, plan: Plan) -> Plan:
        body = b'{"id":"broken","choices":[{"index":0,"mess'
        if not plan.stream:
            whole = b"".join(step.data for step in plan.steps if isinstance(step, Data))
            body = whole[: len(whole) // 2]
        return plan.with_body(body, "application/json")


@dataclass(frozen=True, slots=True)
class ErrorOn200:
    """An error body with status 200, also where a stream was asked for."""

    message: str = "Provider returned error"
    status: int = 502  # what the error is about; the answer's own status is 200
    type: str | None = None
    code: str | None = None
    rank: ClassVar[int] = BODY

    def apply(self, plan: Plan) -> Plan:
        error = VendorError(status=self.status, message=self.message, type=self.type, code=self.code)
        return plan.with_body(plan.error_body(error), "application/json", status=200)


@dataclass(frozen=True, slots=True)
class DuplicateKeys:
    """The first key of every JSON object of the answer stands there twice; the value that comes last is the right one."""

    rank: ClassVar[int] = EVENTS

    def apply(self, plan: Plan) -> Plan:
        def change(portion: Data) -> tuple[Step, ...]:
            head, brace, rest = portion.data.partition(b"{")
            key = re.match(rb'\s*("(?:[^"\\]|\\.)*")\s*:', rest)
            if not brace or key is None:
                return (portion,)
            return (replace(portion, data=head + b"{" + key[1] + b':"duplicate",' + rest),)

        return plan.map_data(change)


@dataclass(frozen=True, slots=True)
class Malformed:
    """One event whose JSON ends in the middle; the stream goes on after it."""

    after_events: int = 1
    rank: ClassVar[int] = EVENTS

    def apply(self, plan: Plan) -> Plan:
        before, after = plan.split(self.after_events, None)
        if not after or not isinstance(after[0], Data):
            raise ValueError("no event is left to be malformed")
        start, label, payload = after[0].data.partition(b"data: ")
        broken = start + label + payload.rstrip(b"\n")[: len(payload) // 2] + b"\n\n"
        return replace(plan, steps=(*before, replace(after[0], data=broken), *after[1:]))


@dataclass(frozen=True, slots=True)
class NoDone:
    """The event that ends a stream properly is missing; the HTTP message ends as it should."""

    rank: ClassVar[int] = EVENTS

    def apply(self, plan: Plan) -> Plan:
        return plan.map_data(lambda portion: () if portion.role == "end" else (portion,))


@dataclass(frozen=True, slots=True)
class ErrorInStream:
    """An error event in the dialect's form, after which the stream ends, with `[DONE]` or without."""

    after_events: int = 1
    message: str = "Overloaded"
    status: int = 529  # gives the dialect's name for the error; the answer's own status stays 200
    type: str | None = None
    code: str | None = None
    done: bool = False
    rank: ClassVar[int] = EVENTS

    def apply(self, plan: Plan) -> Plan:
        if not plan.stream:
            raise ValueError("only a stream can have an error within")
        before, after = plan.split(self.after_events, None)
        error = VendorError(status=self.status, message=self.message, type=self.type, code=self.code)
        end = tuple(step for step in after if self.done and isinstance(step, Data) and step.role == "end")
        return replace(plan, steps=(*before, Data(plan.error_event(error)), *end))


@dataclass(frozen=True, slots=True)
class Comments:
    """A comment before every event, as keep-alives come."""

    text: str = "OPENROUTER PROCESSING"
    rank: ClassVar[int] = FORM

    def apply(self, plan: Plan) -> Plan:
        comment = f": {self.text}\n\n".encode()
        return plan.map_data(lambda portion: (replace(portion, data=comment + portion.data),))


@dataclass(frozen=True, slots=True)
class BlankLines:
    """Blank lines before the body, as some vendors keep the connection of an unstreamed request alive."""

    count: int = 3
    rank: ClassVar[int] = FORM

    def apply(self, plan: Plan) -> Plan:
        before, after = plan.split(0, None)
        return replace(plan, steps=(*before, *(Data(b"\n", events=0) for _ in range(self.count)), *after))


@dataclass(frozen=True, slots=True)
class NoSpace:
    """`data:` and `event:` without the space behind the colon."""

    rank: ClassVar[int] = FORM

    def apply(self, plan: Plan) -> Plan:
        return plan.map_data(
            lambda portion: (replace(portion, data=re.sub(rb"(?m)^(data|event): ", rb"\1:", portion.data)),)
        )


@dataclass(frozen=True, slots=True)
class Crlf:
    """Lines of a stream end in CR LF."""

    rank: ClassVar[int] = FORM

    def apply(self, plan: Plan) -> Plan:
        return plan.map_data(lambda portion: (replace(portion, data=portion.data.replace(b"\n", b"\r\n")),))


@dataclass(frozen=True, slots=True)
class Gzip:
    """The body is compressed, each event flushed by itself."""

    rank: ClassVar[int] = CODING

    def apply(self, plan: Plan) -> Plan:
        compressor = zlib.compressobj(wbits=31)

        def change(portion: Data) -> tuple[Step, ...]:
            packed = compressor.compress(portion.data) + compressor.flush(zlib.Z_SYNC_FLUSH)
            return (replace(portion, data=packed),)

        packed_plan = plan.map_data(change)
        trailer = Data(compressor.flush(), events=0)
        return replace(packed_plan, steps=(*packed_plan.steps, trailer)).with_header("content-encoding", "gzip")


@dataclass(frozen=True, slots=True)
class SplitBytes:
    """The body comes so many bytes at a time, so that lines, characters and even CR LF are torn."""

    size: int = 1
    rank: ClassVar[int] = PORTIONS

    def apply(self, plan: Plan) -> Plan:
        def change(portion: Data) -> tuple[Step, ...]:
            starts = range(0, len(portion.data), self.size)
            pieces = [replace(portion, data=portion.data[start : start + self.size], events=0) for start in starts]
            return (*pieces[:-1], replace(pieces[-1], events=portion.events)) if pieces else (portion,)

        return plan.map_data(change)


@dataclass(frozen=True, slots=True)
class Batch:
    """So many events come in one write, so that one read brings them all."""

    size: int = 1000
    rank: ClassVar[int] = PORTIONS

    def apply(self, plan: Plan) -> Plan:
        events = [step for step in plan.steps if isinstance(step, Data)]
        batches: list[Step] = []
        for start in range(0, len(events), self.size):
            batch = events[start : start + self.size]
            data = b"".join(event.data for event in batch)
            batches.append(Data(data, events=sum(event.events for event in batch), role=batch[-1].role))
        return replace(plan, steps=(Head(), *batches))


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed in order, but too early; with `whole_http` the HTTP message ends as if that were all."""

    after_events: int | None = None
    after_bytes: int | None = None
    whole_http: bool = False
    rank: ClassVar[int] = BREAK

    def apply(self, plan: Plan) -> Plan:
        before, _ = plan.split(self.after_events, self.after_bytes)
        return replace(plan, steps=before if self.whole_http else (*before, Drop(reset=False)))


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is torn by a TCP reset."""

    after_events: int | None = None
    after_bytes: int | None = None
    rank: ClassVar[int] = BREAK

    def apply(self, plan: Plan) -> Plan:
        before, _ = plan.split(self.after_events, self.after_bytes)
        return replace(plan, steps=(*before, Drop(reset=True)))


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence, until `vendor.release()` lets the answer go on."""

    after_events: int | None = None
    after_bytes: int | None = None
    rank: ClassVar[int] = BREAK

    def apply(self, plan: Plan) -> Plan:
        before, after = plan.split(self.after_events, self.after_bytes)
        return replace(plan, steps=(*before, Pause(), *after))
