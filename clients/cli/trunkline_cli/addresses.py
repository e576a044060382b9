"""Where a gateway listens, and why it could not."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from server.config.schema import ServerSettings


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where to listen, or where it listens; None: not at all.

    Attributes:
        host: an address or a name.
        port: of the HTTP front.
        grpc_port: of the gRPC server.
        metrics_port: of the listener for probes and scrapers.
        reuse_port: whether other processes listen there too.
        grpc_host: of the gRPC server; None: `host`.
    """

    host: str
    port: int | None
    grpc_port: int | None
    metrics_port: int | None = None
    reuse_port: bool = False
    grpc_host: str | None = None

    @classmethod
    def of(cls, server: ServerSettings) -> "Addresses":
        """Those of a gateway that is front and core."""
        return cls(server.host, server.port, server.grpc_port, server.metrics_port, server.workers > 1, server.grpc_host)

    def ports(self) -> Iterator["Port"]:
        """Each port that is listened at."""
        grpc = ("server.host", self.host) if self.grpc_host is None else ("server.grpc_host", self.grpc_host)
        for name, number, (host_name, host) in (
            ("server.port", self.port, ("server.host", self.host)),
            ("server.grpc_port", self.grpc_port, grpc),
            ("server.metrics_port", self.metrics_port, ("server.host", self.host)),
        ):
            if number is not None:
                yield Port(name, number, host_name, host)


@dataclass(frozen=True, slots=True)
class Port:
    """A port and its host, and the settings that say so."""

    name: str
    number: int
    host_name: str
    host: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why nothing can listen somewhere now; `taken`: because something does, which may be the gateway itself."""

    text: str
    taken: bool = False


def find_port_faults(addresses: Addresses) -> list[str]:
    """Which ports could never be listened at, whatever else the machine does."""
    faults = []
    seen: dict[tuple[str, int], str] = {}
    for port in addresses.ports():
        before = seen.setdefault((port.host, port.number), port.name)
        if port.number == 0 and addresses.reuse_port:
            faults.append(f"{port.name}: several workers share their ports, so 0 (any that is free) does not work with them")
        elif port.number != 0 and before != port.name:
            faults.append(f"{port.name}: {port.number} is {before} already")
    return faults


def find_unusable(addresses: Addresses) -> list[Unusable]:
    """Takes each port for a moment. Not for a gateway about to start: another of its workers could find it taken."""
    return list(dict.fromkeys(found for port in addresses.ports() if (found := _unusable(port)) is not None))


def _unusable(port: Port) -> Unusable | None:
    where = f"{port.host}:{port.number}"
    try:
        _take(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return Unusable(f"{port.name}: something listens at {where}; if that is no gateway of yours, take another", True)
        name = port.name if error.errno == errno.EACCES else port.host_name
        return Unusable(f"{name}: nothing can listen at {where}: {error.strerror}")
    return None


def _take(port: Port) -> None:
    """Raises OSError where none of the host's addresses can be had."""
    refused: OSError | None = None
    for family, kind, protocol, _, place in socket.getaddrinfo(port.host, port.number, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(place)
            except OSError as error:
                refused = error
            else:
                return
    if refused is not None:
        raise refused
