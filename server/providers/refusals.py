"""What is alike in every vendor's refusals: what a status means, and what to say where the vendor says nothing."""

from collections.abc import Mapping
from types import MappingProxyType

from server.providers.errors import Fault, ProviderError
from server.telemetry.redaction import cut_at_word

BY_STATUS: Mapping[int, Fault] = MappingProxyType(
    {
        401: Fault.AUTHENTICATION,
        402: Fault.AUTHENTICATION,
        403: Fault.AUTHENTICATION,
        404: Fault.MODEL_NOT_FOUND,
        408: Fault.TIMEOUT,
        429: Fault.RATE_LIMITED,
        503: Fault.OVERLOADED,
        504: Fault.TIMEOUT,
    }
)
"""What these mean everywhere; dialects add what their vendor means by others."""

_LONGEST_TEXT = 2000


def by_class(status: int | None) -> Fault:
    """What a status means that nobody knows; None where the vendor told of an error without one."""
    return Fault.INVALID_REQUEST if status is not None and 400 <= status < 500 else Fault.SERVER


def no_answer(status: int) -> ProviderError:
    """The error of a status that is neither the success that was asked for nor a refusal."""
    return ProviderError(Fault.PROTOCOL, f"The provider answered with status {status}, which is no answer.", status)


def said(message: str | None, status: int | None = None) -> str:
    """What the vendor said, its beginning where it is long; where it said nothing, a sentence that tells as much."""
    silent = "The provider told of an error." if status is None else f"The provider answered with status {status}."
    return beginning(message or "") or silent


def beginning(text: str) -> str:
    """A text of the vendor, its beginning where it is long."""
    return cut_at_word(text, _LONGEST_TEXT)


def ended_in_error() -> ProviderError:
    """The error of an answer that ends in one which cannot be read."""
    return ProviderError(Fault.SERVER, "The provider ended its answer with an error.")
