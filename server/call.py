"""One call on its way through interceptors, servicer and dispatcher."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import grpc
from google.rpc import status_pb2

from server.caller import ANONYMOUS, Caller

Metadata = Sequence[tuple[str, str | bytes]]


class Context(Protocol):
    """The part of `grpc.aio.ServicerContext` that this server uses; every host of servicers must offer it."""

    def invocation_metadata(self) -> Metadata | None:
        """What the caller sent beside the request."""

    def time_remaining(self) -> float | None:
        """Seconds to the caller's deadline; None: there is none."""

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        """Sends the initial metadata, once, before any message."""

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        """Sets what goes out with the status."""

    async def abort_with_status(self, status: grpc.Status) -> None:
        """Ends the call with a status; raises."""

    def peer(self) -> str:
        """Where the caller is: `ipv4:127.0.0.1:1234`."""


STOPPED = "stopped"
"""Why a call ended that the gateway cut off as it stopped, in ledger and log. No `ErrorReason` reaches its caller."""
DEADLINE_PASSED = "deadline_exceeded"
"""Why one ended whose deadline passed."""
_EARLY_S = 0.01
"""So much before the deadline may those come who end a call by it: uvloop's timers know milliseconds."""


@dataclass(slots=True)
class Call:
    """One call. Servicers get it in the place of gRPC's context.

    Attributes:
        method: `/trunkline.v1.CompletionService/CreateChatCompletion`.
        context: gRPC's context.
        metadata: what the caller sent beside the request, by lower-case key.
        request_id: set by the first interceptor.
        begin: when the call began, by the monotonic clock; set by the access log.
        caller: set by the auth interceptor.
        trailers: what goes out with the status, whatever it is.
        notes: what the call's way found out and the access log should say.
        keep: keeps the answer once it is whole, before it is settled; None: nobody wants it kept.
    """

    method: str
    context: Context
    metadata: Mapping[str, str | bytes]
    request_id: str = ""
    caller: Caller = ANONYMOUS
    begin: float = 0.0
    trailers: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)
    keep: Callable[[], Awaitable[None]] | None = None

    def why_cut_off(self, stopped: bool) -> str:
        """Why it ended where nobody refused it and nothing failed: DEADLINE_PASSED, STOPPED, or empty, as its caller left.

        Args:
            stopped: whether the gateway cuts off what still runs.
        """
        left = self.context.time_remaining()
        if left is not None and left < _EARLY_S:
            return DEADLINE_PASSED
        return STOPPED if stopped else ""


@dataclass(frozen=True)
class CallStatus(grpc.Status):
    """What `abort_with_status` takes: gRPC's code, its text, and the details as metadata."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: Metadata  # type: ignore[assignment]

    @classmethod
    def of(cls, code: grpc.StatusCode, status: status_pb2.Status, trailers: Metadata) -> "CallStatus":
        """The status with its details where `grpc-status-details-bin` carries them."""
        return cls(code, status.message, (*trailers, ("grpc-status-details-bin", status.SerializeToString())))
