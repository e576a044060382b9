"""What a message of the contract carries beyond its fields, for dialects that pick single keys from it."""

from typing import Protocol

import orjson

from server.providers.errors import Fault, ProviderError

NO_CHOICES = '{"choices":[]}'
"""What the chunk that only brings the usage carries in `extra_json`: its JSON form has the key, with nothing in it."""


class _Extensible(Protocol):
    @property
    def extra_json(self) -> str: ...


def extra_of(message: _Extensible) -> dict[str, object]:
    """The object in `extra_json`; empty where there is none.

    Raises:
        ProviderError: INVALID_REQUEST when it holds no JSON object.
    """
    if not message.extra_json:
        return {}
    return json_object(message.extra_json, "extra_json")


def is_json_object(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def json_object(text: str, param: str) -> dict[str, object]:
    """The JSON object that a text of the request holds.

    Raises:
        ProviderError: INVALID_REQUEST when it holds none.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ProviderError(Fault.INVALID_REQUEST, f"`{param}` must be a JSON object.", param=param)
    return value
