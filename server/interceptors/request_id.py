"""Gives every call a name that caller, gateway and logs share."""

import random
import re
import time

from server.call import Call

KEY = "x-request-id"
_ALLOWED = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")


class RequestId:
    """Takes the caller's request id where it is a plain one, else makes a new one; it goes out with the status.

    New ones begin with the time, so that a database finds them side by side, and writes a page of its index for many.
    """

    def enter(self, call: Call) -> None:
        """Names the call."""
        given = call.metadata.get(KEY)
        if isinstance(given, str) and _ALLOWED.fullmatch(given):
            call.request_id = given
        else:
            call.request_id = f"req_{time.time_ns() // 1_000_000:012x}{random.getrandbits(48):012x}"
        call.trailers.append((KEY, call.request_id))

    def leave(self, call: Call, error: BaseException | None) -> None:
        """Nothing is left to do."""
