"""Whether files of TLS are what they are meant to be: certificates and keys, as PEM, that fit each other; what they make."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import typer

from trunkline_client import Tls


@dataclass(frozen=True, slots=True)
class Pem:
    """A file, and what the one who named it calls it."""

    name: str
    file: Path


def find_authority_fault(authority: Pem) -> str | None:
    """What is wrong with a file of certificates; None: nothing."""
    try:
        _context().load_verify_locations(authority.file)
    except ssl.SSLError:
        return f"{authority.name}: {authority.file} has no certificate in PEM"
    except OSError as error:
        return _unreadable(authority, error)
    return None


def find_pair_fault(certificate: Pem, key: Pem) -> str | None:
    """What is wrong with a certificate and its private key; None: nothing."""
    fault = find_authority_fault(certificate)
    if fault is not None:
        return fault
    try:
        key.file.read_bytes()  # the library does not say which of the two it cannot read
        _context().load_cert_chain(certificate.file, key.file, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{key.name}: {key.file} does not fit the certificate in {certificate.file}"
        return f"{key.name}: {key.file} has no private key in PEM that is not encrypted"
    except OSError as error:
        return _unreadable(key, error)
    return None


def read_tls(option: str, authority: Path | None, certificate: Path | None, key: Path | None) -> Tls | None:
    """How to speak TLS with the files that options name; None: none is named.

    Args:
        option: how the options begin: `--tls` is followed by `-ca`, `-cert` and `-key`.
        authority: who vouches for the server; None: the usual authorities.
        certificate: the caller's own, and those between it and its authority.
        key: that certificate's.

    Raises:
        typer.BadParameter: they are not what they have to be.
    """
    if authority is None and certificate is None and key is None:
        return None
    if (certificate is None) != (key is None):
        names = ("key", "cert") if key is None else ("cert", "key")
        raise typer.BadParameter(f"{option}-{names[1]} needs it", param_hint=f"{option}-{names[0]}")
    found: list[str | None] = []
    if authority is not None:
        found.append(find_authority_fault(Pem(f"{option}-ca", authority)))
    if certificate is not None and key is not None:
        found.append(find_pair_fault(Pem(f"{option}-cert", certificate), Pem(f"{option}-key", key)))
    for fault in filter(None, found):
        name, _, text = fault.partition(": ")
        raise typer.BadParameter(text, param_hint=name)
    return Tls(*(None if file is None else file.read_bytes() for file in (authority, key, certificate)))


def _context() -> ssl.SSLContext:
    """What takes certificates of any strength: whether one is strong enough is not asked here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _unreadable(pem: Pem, error: OSError) -> str:
    return f"{pem.name}: {pem.file} cannot be read: {error.strerror}"
