"""Whether a request carries AWS's signature, version 4, worked out anew from the request as it came over the wire.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (2026-11).
"""

import hashlib
import hmac
import re
from urllib.parse import quote, unquote, urlsplit

from tests.fakes.http1_request import Request

ACCESS_KEY = "AKIDSCRIPTED"
REGION = "us-west-2"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<access_key>[A-Z0-9]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/bedrock/aws4_request, "
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def fault_of_signature(request: Request, secret: str) -> str | None:
    """Returns what is wrong with the signature; None where nothing is."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return "Authorization header is malformed"
    time = request.headers.get("x-amz-date", "")
    names = found["names"].split(";")
    if found["access_key"] != ACCESS_KEY:
        return "The security token included in the request is invalid."
    if found["region"] != REGION or not time.startswith(found["day"]):
        return f"Credential should be scoped to a valid region: {REGION}"
    if not {"host", "x-amz-date", "content-type"} <= set(names):
        return "Required headers are not signed"
    if "x-amz-security-token" in request.headers and "x-amz-security-token" not in names:
        return "The session's token is not signed"
    scope = f"{found['day']}/{found['region']}/bedrock/aws4_request"
    canonical = hashlib.sha256(_canonical(request, names).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    wanted = _mac(key, f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}").hex()
    return None if hmac.compare_digest(wanted, found["signature"]) else "The request signature does not match"


def _canonical(request: Request, names: list[str]) -> str:
    parts = urlsplit(request.target)
    pairs = sorted(tuple(pair.partition("=")[::2]) for pair in parts.query.split("&") if pair)
    query = "&".join(f"{quote(unquote(name), safe='-_.~')}={quote(unquote(value), safe='-_.~')}" for name, value in pairs)
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names)
    payload = hashlib.sha256(request.raw_body).hexdigest()
    # The path is encoded once more than it came.
    return "\n".join([request.method, quote(parts.path, safe="/-_.~"), query, headers, ";".join(names), payload])


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
