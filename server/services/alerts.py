"""AlertsService: what needs an operator's attention."""

from collections.abc import Callable, Sequence

from server.alerts import alert as records
from server.alerts.alert import Severity
from server.alerts.listing import AlertList
from server.call import Call
from server.errors import invalid_request
from server.runtime import Runtime
from server.services.times import timestamp
from server.tenancy.pages import Page
from server.tenancy.who import Who
from trunkline.v1.alerts_service_pb2 import Alert, AlertSeverity, ListAlertsRequest, ListAlertsResponse

_SEVERITIES = {
    Severity.INFO: AlertSeverity.ALERT_SEVERITY_INFO,
    Severity.WARNING: AlertSeverity.ALERT_SEVERITY_WARNING,
    Severity.ERROR: AlertSeverity.ALERT_SEVERITY_ERROR,
    Severity.CRITICAL: AlertSeverity.ALERT_SEVERITY_CRITICAL,
}
_ASKED_FOR = {number: severity for severity, number in _SEVERITIES.items()}


class AlertsService:
    """Implements the contract's AlertsService.

    Args:
        alerts: what fires.
    """

    def __init__(self, alerts: AlertList) -> None:
        self._alerts = alerts

    async def ListAlerts(self, request: ListAlertsRequest, call: Call) -> ListAlertsResponse:
        """Lists the alerts that are firing."""
        page = Page.read(request.page_size, request.page_token)
        severity = None
        if request.severity != AlertSeverity.ALERT_SEVERITY_UNSPECIFIED:
            severity = _ASKED_FOR.get(request.severity)
            if severity is None:
                raise invalid_request("`severity` is none that this server knows.", "severity")
        listed, token = await self._alerts.page(Who.of(call).tenant_id, page, severity)
        return ListAlertsResponse(alerts=[_message(each) for each in listed], next_page_token=token)


def notices(runtime: Callable[[], Runtime]) -> Callable[[], Sequence[records.Alert]]:
    """What gives the configuration's own remarks as alerts: providers without a key, features that are asked for, not built.

    Args:
        runtime: gives the configuration in force.
    """

    def find() -> Sequence[records.Alert]:
        in_force = runtime()
        start_time = round(in_force.start_time * 1e6)
        return [
            records.Alert(
                f"configuration-{number}",
                notice.code,
                Severity(notice.severity),
                notice.message,
                start_time,
                {"path": notice.path},
            )
            for number, notice in enumerate(in_force.loaded.notices, 1)
        ]

    return find


def _message(alert: records.Alert) -> Alert:
    return Alert(
        name=f"alerts/{alert.id}",
        rule=alert.rule,
        severity=_SEVERITIES[alert.severity],
        message=alert.message,
        start_time=timestamp(alert.start_time),
        labels=dict(alert.labels),
    )
