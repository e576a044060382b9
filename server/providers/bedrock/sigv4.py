"""AWS's signature, version 4, by botocore, which knows the places where credentials are kept.

Only to be imported where botocore is installed. The variables and files are botocore's own: AWS_ACCESS_KEY_ID and the like,
profiles, and the roles of containers and machines. Source: https://docs.aws.amazon.com/sdkref/latest/guide (2026-11).
"""

import os
from collections.abc import Mapping

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from server.providers.errors import Fault, ProviderError

_SERVICE = "bedrock"
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


class SigV4Signer:
    """Signs requests with a session's credentials, which it renews when they run out.

    Args:
        session: where the credentials come from.
        region: what the signature is for; None: the session's.
    """

    def __init__(self, session: Session, region: str | None) -> None:
        self._session = session
        self._region = region

    def sign(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers with the signature; all that are given are signed, but for those that proxies change.

        Raises:
            ProviderError: AUTHENTICATION where there are no credentials, or no region.
        """
        request = AWSRequest(method=verb, url=url, headers=dict(headers), data=body)
        try:
            region = self._region or self._session.get_config_variable("region")
            credentials = self._credentials()
        except BotoCoreError as error:
            raise ProviderError(Fault.AUTHENTICATION, f"AWS's credentials cannot be had: {type(error).__name__}.") from None
        if not region:
            raise ProviderError(
                Fault.AUTHENTICATION, "The region to sign for is not known: use AWS's address, or set AWS_REGION."
            )
        SigV4Auth(credentials, _SERVICE, region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}

    def _credentials(self) -> ReadOnlyCredentials:
        found = self._session.get_credentials()
        if found is None:
            raise ProviderError(Fault.AUTHENTICATION, "There are no AWS credentials to sign with, and no API key.")
        return found.get_frozen_credentials()


def own_signer(region: str | None) -> SigV4Signer:
    """The signer with the credentials of this process, and its region where none is given."""
    variables = (os.environ.get(name) for name in _REGION_VARIABLES)
    return SigV4Signer(Session(), region or next((value for value in variables if value), None))
