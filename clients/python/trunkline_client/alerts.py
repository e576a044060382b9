"""What needs an operator's attention. Needs a key with the permission `admin`."""

from collections.abc import AsyncIterator, Iterator

import grpc

from trunkline.v1.alerts_service_pb2 import Alert, AlertSeverity, ListAlertsRequest
from trunkline.v1.alerts_service_pb2_grpc import AlertsServiceStub
from trunkline_client.calls import CallDefaults, Metadata, ask, ask_sync, pages, pages_sync


class AsyncAlerts:
    """Tells what is wrong.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051", api_key="an admin's key") as client:
    ...     async for alert in client.alerts.list_alerts():
    ...         print(alert.rule, alert.message)
    ProviderDown openai does not answer
    """

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        self._stub = AlertsServiceStub(channel)
        self._defaults = defaults

    async def list_alerts(
        self,
        *,
        severity: AlertSeverity | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> AsyncIterator[Alert]:
        """Lists the alerts that are firing, oldest first, getting page after page as they are needed.

        Args:
            severity: only those of this severity. None: all.
            page_size: the most alerts in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: ask(
                self._stub.ListAlerts,
                ListAlertsRequest(page_size=page_size, page_token=token, severity=severity),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            for alert in page.alerts:
                yield alert


class Alerts:
    """Tells what is wrong, to threads. As `AsyncAlerts`."""

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        self._stub = AlertsServiceStub(channel)
        self._defaults = defaults

    def list_alerts(
        self,
        *,
        severity: AlertSeverity | None = None,
        page_size: int = 0,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> Iterator[Alert]:
        """Lists the alerts that are firing, oldest first."""
        for page in pages_sync(
            lambda token: ask_sync(
                self._stub.ListAlerts,
                ListAlertsRequest(page_size=page_size, page_token=token, severity=severity),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            yield from page.alerts
