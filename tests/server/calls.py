"""A call as a test makes one: with a context that remembers what was done to it."""

from collections.abc import Mapping
from typing import cast

import grpc

from server.call import Call, Context, Metadata


class Aborted(Exception):
    """The call was ended with a status."""

    def __init__(self, status: grpc.Status) -> None:
        super().__init__(status.details)
        self.status = status


class RecordingContext:
    """Stands in for gRPC's context.

    Attributes:
        time_left_s: what the deadline leaves.
        initial: each initial metadata that was sent.
    """

    def __init__(self, time_left_s: float | None = None) -> None:
        self.time_left_s = time_left_s
        self.initial: list[dict[str, str | bytes]] = []

    def invocation_metadata(self) -> Metadata:
        return ()

    def time_remaining(self) -> float | None:
        return self.time_left_s

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        self.initial.append(dict(initial_metadata))

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None: ...

    async def abort_with_status(self, status: grpc.Status) -> None:
        raise Aborted(status)

    def peer(self) -> str:
        return "test"


def call(
    method: str = "/trunkline.v1.ModelsService/ListModels",
    metadata: Mapping[str, str | bytes] | None = None,
    context: RecordingContext | None = None,
) -> Call:
    """A call of a method."""
    made = Call(method, cast(Context, context or RecordingContext()), metadata or {})
    made.request_id = "req_test"
    return made
