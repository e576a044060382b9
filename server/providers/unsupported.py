"""What a vendor has no place for, refused in the same words by every dialect."""

from server.providers.base import Ask
from server.providers.errors import Fault, ProviderError


def unsupported(message: str, param: str = "") -> ProviderError:
    """The error of a request that the vendor cannot express; another provider may.

    Args:
        message: what it is that it cannot.
        param: the request's field at fault.
    """
    return ProviderError(Fault.UNSUPPORTED, message, param=param)


def no_operation(ask: Ask) -> ProviderError:
    """The error of an operation that the vendor does not have."""
    return unsupported(f"The provider has no {ask.operation.value}.")
