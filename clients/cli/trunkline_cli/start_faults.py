"""Why a gateway would not start with a configuration: `serve` asks before it starts, `check` without starting.

What only the start itself can find out is not here: whether a port is free, whether the database answers.
"""

import os
from pathlib import Path

from server.config import Settings
from server.limits.shared import find_unshared
from trunkline_cli.addresses import Addresses, find_port_faults
from trunkline_cli.certificates import Pem, find_authority_fault, find_pair_fault
from trunkline_cli.stores import can_be_appended, can_be_written, find_store_faults

_LONGEST_SOCKET_BYTES = 107
"""What the system takes as a socket's name."""


def find_start_faults(settings: Settings, addresses: Addresses) -> list[str]:
    """What is wrong, each in one line that begins with its setting.

    Args:
        settings: the configuration.
        addresses: where to listen; without a `grpc_port` it is a front alone, and what the core needs does not matter.
    """
    faults = [*find_port_faults(addresses), *_log_faults(settings)]
    if addresses.grpc_port is None:
        return faults
    unshared = find_unshared(settings, settings.server.workers)
    return [
        *faults,
        *_tls_faults(settings),
        *_socket_faults(settings),
        *find_store_faults(settings),
        *([unshared] if unshared else []),
    ]


def _log_faults(settings: Settings) -> list[str]:
    if settings.logging.file is None:
        return []
    file = Path(settings.logging.file)
    if can_be_appended(file):
        return []
    return [f"logging.file: {file} is a folder, or cannot be made or written"]


def _tls_faults(settings: Settings) -> list[str]:
    tls = settings.server.tls
    if tls is None:
        return []
    certificate, key = (
        Pem(f"server.tls.{name}", Path(file)) for name, file in (("cert_file", tls.cert_file), ("key_file", tls.key_file))
    )
    found = [find_pair_fault(certificate, key)]
    if tls.client_ca_file is not None:
        found.append(find_authority_fault(Pem("server.tls.client_ca_file", Path(tls.client_ca_file))))
    return [fault for fault in found if fault is not None]


def _socket_faults(settings: Settings) -> list[str]:
    if settings.server.unix_socket is None:
        return []
    file, fault = Path(settings.server.unix_socket), None
    if settings.server.workers > 1:
        fault = "a socket file has one process behind it, so it does not work with several workers"
    elif len(bytes(file)) > _LONGEST_SOCKET_BYTES:
        fault = f"the name of a socket may have {_LONGEST_SOCKET_BYTES} bytes"
    elif not os.path.isdir(file.parent):  # not `Path.is_dir`, which raises where one may not look
        fault = f"there is no folder {file.parent}"
    elif not can_be_written(file.parent):
        fault = f"the folder {file.parent} cannot be written"
    elif os.path.exists(file) and not file.is_socket():
        fault = f"{file} is there, and no socket"
    return [] if fault is None else [f"server.unix_socket: {fault}"]
