"""grpc.health.v1 for probes: the whole (empty name), each service, `provider/NAME`, and `readiness`.

`readiness` turns NOT_SERVING first when the server stops, so that nothing new is sent while the rest still finishes.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

READINESS = "readiness"

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[object, object]


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Implements Check, Watch and List over a table of names."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._changed = asyncio.Condition()
        self._stopped = False

    async def set(self, serving: Mapping[str, bool]) -> None:
        """Sets whether names are served, and tells those who watch."""
        async with self._changed:
            self._serving.update(serving)
            self._changed.notify_all()

    async def stop(self) -> None:
        """Says of every name that it is served no more, and ends the watches, which would go on for ever."""
        self._stopped = True
        await self.set(dict.fromkeys(self._serving, False))

    def _answer(self, name: str) -> "health_pb2.HealthCheckResponse":
        serving = self._serving.get(name)
        if serving is None:
            return _Status(status=_Status.SERVICE_UNKNOWN)
        return _Status(status=_Status.SERVING if serving else _Status.NOT_SERVING)

    async def Check(self, request: "health_pb2.HealthCheckRequest", context: _Context) -> "health_pb2.HealthCheckResponse":
        """Answers at once; NOT_FOUND for a name that is not known."""
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, "No such service.")
        return self._answer(request.service)

    async def Watch(
        self, request: "health_pb2.HealthCheckRequest", context: _Context
    ) -> AsyncGenerator["health_pb2.HealthCheckResponse", None]:
        """Answers at once and at every change, until the server stops."""
        answer = self._answer(request.service)
        yield answer
        while not self._stopped:
            async with self._changed:
                while answer == self._answer(request.service) and not self._stopped:
                    await self._changed.wait()
            if answer != self._answer(request.service):
                answer = self._answer(request.service)
                yield answer

    async def List(self, request: "health_pb2.HealthListRequest", context: _Context) -> "health_pb2.HealthListResponse":
        """Answers for every name."""
        return health_pb2.HealthListResponse(statuses={name: self._answer(name) for name in self._serving})
