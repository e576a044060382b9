"""What a request carries in `extra_json`: keys that have no field, so that nothing checked or estimated is said twice."""

from typing import TypeVar

import orjson
from google.protobuf.message import Message

from server.errors import invalid_request
from trunkline_json import Form, Misfit

M = TypeVar("M", bound=Message)


def check_extra(extra_json: str, form: Form[M]) -> None:
    """Checks the `extra_json` of a request, which reaches vendors of its form's dialect as it is.

    A value that its field cannot tell from absence may be there: `Form.parse` puts it there.

    Args:
        extra_json: the request's.
        form: the request's JSON form.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if not extra_json:
        return
    try:
        named = form.keywords(orjson.loads(extra_json), True).keys() - {"extra_json"}
    except orjson.JSONDecodeError:
        raise invalid_request("`extra_json` must be JSON text.", "extra_json") from None
    except Misfit as misfit:
        raise invalid_request(
            f"`{misfit.path}` must be {misfit.expected}." if misfit.path else "`extra_json` must be a JSON object.",
            "extra_json",
        ) from None
    if named:
        raise invalid_request("`extra_json` must not have keys that the request has fields for.", "extra_json")
