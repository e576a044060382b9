"""The servicer's side of a call that has no wire, and what a call without a servicer ends with."""

import time
from typing import NoReturn, cast

import grpc

from server.call import Metadata

OK = grpc.StatusCode.OK

ENDINGS = {
    grpc.StatusCode.CANCELLED: "Locally cancelled by application!",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Deadline Exceeded",
    grpc.StatusCode.UNAVAILABLE: "The server is stopping.",
}
"""What a call's end from outside says."""


class Aborted(Exception):
    """The servicer ended the call with a status; the context has it."""


class Pairs(tuple[tuple[str, str | bytes], ...]):
    """Metadata as the caller gets it: pairs in order, and a key's first value. `grpc.aio.Metadata` builds a dictionary."""

    __slots__ = ()

    def __getitem__(self, key: str) -> str | bytes:  # type: ignore[override]
        for name, value in self:
            if name == key:
                return value
        raise KeyError(key)


class Context:
    """The servicer's side of a call: what `grpc.aio.ServicerContext` is on a wire."""

    __slots__ = ("code", "deadline", "details", "initial_metadata", "metadata", "trailing_metadata")

    def __init__(self, metadata: Metadata, timeout_s: float | None) -> None:
        self.metadata = metadata
        self.deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self.initial_metadata: Metadata | None = None
        self.trailing_metadata: Metadata = ()
        self.code: grpc.StatusCode | None = None
        self.details = ""

    def invocation_metadata(self) -> Metadata:
        return self.metadata

    def time_remaining(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        self.initial_metadata = initial_metadata

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        self.trailing_metadata = trailing_metadata

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        self.code, self.details, self.trailing_metadata = code, details, trailing_metadata
        raise Aborted

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, cast(Metadata, status.trailing_metadata or ()))

    def peer(self) -> str:
        return "inprocess"
