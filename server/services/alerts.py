"""AlertsService: what needs an operator's attention."""

from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

from server.call import Call
from server.runtime import Runtime
from server.services.requests import page
from trunkline.v1.alerts_service_pb2 import Alert, AlertSeverity, ListAlertsRequest, ListAlertsResponse

_SEVERITIES = {
    "info": AlertSeverity.ALERT_SEVERITY_INFO,
    "warning": AlertSeverity.ALERT_SEVERITY_WARNING,
}


class AlertsService:
    """Implements the contract's AlertsService.

    What fires today are the configuration's own remarks: providers without a key, features that are asked for and not built.

    Args:
        runtime: gives the configuration in force.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._runtime = runtime

    async def ListAlerts(self, request: ListAlertsRequest, call: Call) -> ListAlertsResponse:
        """Lists the alerts that are firing."""
        runtime = self._runtime()
        start = Timestamp()
        start.FromMilliseconds(round(runtime.start_time * 1000))
        alerts = [
            Alert(
                name=f"alerts/configuration-{number}",
                rule=notice.code,
                severity=_SEVERITIES[notice.severity],
                message=notice.message,
                start_time=start,
                labels={"path": notice.path},
            )
            for number, notice in enumerate(runtime.loaded.notices, 1)
            if request.severity in (AlertSeverity.ALERT_SEVERITY_UNSPECIFIED, _SEVERITIES[notice.severity])
        ]
        alerts_of_page, token = page(alerts, request.page_size, request.page_token, default=100)
        return ListAlertsResponse(alerts=alerts_of_page, next_page_token=token)
