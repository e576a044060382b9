"""Gives every call a name that caller, gateway and logs share."""

import random
import re

from server.call import Call

KEY = "x-request-id"
_ALLOWED = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")


class RequestId:
    """Takes the caller's request id where it is a plain one, else makes a new one; it goes out with the status."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    async def __aenter__(self) -> None:
        call = self._call
        given = call.metadata.get(KEY)
        if isinstance(given, str) and _ALLOWED.fullmatch(given):
            call.request_id = given
        else:
            call.request_id = f"req_{random.getrandbits(96):024x}"
        call.trailers.append((KEY, call.request_id))

    async def __aexit__(self, *exception: object) -> None:
        """Nothing is left to do."""
