"""What needs an operator's attention. Needs a key with the permission `admin`."""

from collections.abc import AsyncIterator, Iterator
from typing import Unpack

import grpc

from trunkline.v1.alerts_service_pb2 import Alert, AlertSeverity, ListAlertsRequest
from trunkline.v1.alerts_service_pb2_grpc import AlertsServiceStub
from trunkline_client.calls import AsyncCalls, CallDefaults, Calls, Options


class AsyncAlerts(AsyncCalls):
    """Tells what is wrong.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     async for alert in client.alerts.list_alerts():
    ...         print(alert.rule, alert.message)
    ProviderDown openai does not answer
    """

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = AlertsServiceStub(channel)

    def list_alerts(
        self, *, severity: AlertSeverity | None = None, page_size: int = 0, **options: Unpack[Options]
    ) -> AsyncIterator[Alert]:
        """Lists the alerts that are firing, oldest first, getting page after page as they are needed.

        Args:
            severity: only those of this severity. None: all.
            page_size: the most alerts in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListAlertsRequest(page_size=page_size, severity=severity)
        return self._all(self._stub.ListAlerts, request, lambda page: page.alerts, options)


class Alerts(Calls):
    """Tells what is wrong, to threads. As `AsyncAlerts`."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = AlertsServiceStub(channel)

    def list_alerts(
        self, *, severity: AlertSeverity | None = None, page_size: int = 0, **options: Unpack[Options]
    ) -> Iterator[Alert]:
        """Lists the alerts that are firing, oldest first."""
        request = ListAlertsRequest(page_size=page_size, severity=severity)
        return self._all(self._stub.ListAlerts, request, lambda page: page.alerts, options)
