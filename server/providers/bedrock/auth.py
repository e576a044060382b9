"""How a row of Bedrock shows who it is: an API key as a bearer token, or AWS's signature on each request.

Keys need nothing; signatures need botocore, which is an extra of the package and loaded with the first request to sign.
"""

import asyncio
import importlib
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Protocol, cast
from urllib.parse import urlsplit

from server.providers.errors import Fault, ProviderError

MISSING = (
    "a row without an API key signs its requests, which needs botocore: install `trunkline[bedrock]`, or give an API key of "
    "Bedrock's, usually in AWS_BEARER_TOKEN_BEDROCK"
)

_REGION = re.compile(r"(?:^|\.)bedrock(?:-runtime)?(?:-fips)?\.([a-z]{2,}(?:-[a-z]+)+-\d+)\.")


class Auth(Protocol):
    """Adds to a request's headers what shows who asks."""

    async def headers(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers with those that show who asks.

        Raises:
            ProviderError: AUTHENTICATION where there is nothing to show.
        """


class Signer(Protocol):
    """Signs requests; it may wait for credentials, and so is not called in the loop."""

    def sign(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers with the signature.

        Raises:
            ProviderError: AUTHENTICATION where there are no credentials, or no region.
        """


class BearerAuth:
    """An API key of Bedrock's.

    Args:
        key: the key.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    async def headers(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """See `Auth.headers`."""
        return {**headers, "Authorization": f"Bearer {self._key}"}


class SignatureAuth:
    """AWS's signature.

    Args:
        load: makes the signer, with the first request.
    """

    def __init__(self, load: Callable[[], Signer]) -> None:
        self._load = load
        self._signer: Signer | None = None
        self._loading = asyncio.Lock()

    async def headers(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """See `Auth.headers`."""
        async with self._loading:
            if self._signer is None:
                self._signer = await asyncio.to_thread(self._load)
        return await asyncio.to_thread(self._signer.sign, verb, url, headers, body)


def region_of(base_url: str) -> str | None:
    """The region that one of AWS's addresses names; None for other addresses."""
    found = _REGION.search(urlsplit(base_url).hostname or "")
    return found[1] if found else None


def missing_library() -> str | None:
    """What has to be installed before requests can be signed; None where nothing has to."""
    return None if find_spec("botocore") is not None else MISSING


def load_signer(region: str | None) -> Signer:
    """The signer, with the credentials of this process.

    Args:
        region: what the signature is for; None: as the process's environment says.

    Raises:
        ProviderError: AUTHENTICATION where botocore is not installed.
    """
    if missing_library() is not None:
        raise ProviderError(Fault.AUTHENTICATION, f"The provider cannot be asked: {MISSING}.")
    make = importlib.import_module("server.providers.bedrock.sigv4").own_signer
    return cast(Callable[[str | None], Signer], make)(region)
