"""AdminService: running the gateway."""

from collections.abc import Callable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from server.call import Call
from server.runtime import Runtime
from trunkline.v1.admin_service_pb2 import ConfigStatus, GetConfigStatusRequest, GetConfigStatusResponse


class AdminService:
    """Implements the contract's AdminService.

    Args:
        runtime: gives the configuration in force.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._runtime = runtime

    async def GetConfigStatus(self, request: GetConfigStatusRequest, call: Call) -> GetConfigStatusResponse:
        """Tells which configuration is in force."""
        runtime = self._runtime()
        start = Timestamp()
        start.FromMilliseconds(round(runtime.start_time * 1000))
        duration = Duration()
        duration.FromMicroseconds(round(runtime.loaded.load_time_s * 1e6))
        status = ConfigStatus(
            status="valid",
            load_time=start,
            load_duration=duration,
            file_size_bytes=runtime.loaded.file_size_bytes,
            providers_configured=len(runtime.rows),
            generation=runtime.generation,
            warnings=[notice.message for notice in runtime.loaded.notices],
        )
        return GetConfigStatusResponse(config_status=status)
