"""How a provider fails: what kind of fault it was, told from status and error code, and what the vendor said."""

from enum import Enum


class Fault(Enum):
    """What went wrong at a provider, and with it whether another one may be asked."""

    INVALID_REQUEST = "invalid_request_error", False
    CONTEXT_LENGTH = "context_length_exceeded", False
    CONTENT_FILTER = "content_filter", False
    UNSUPPORTED = "unsupported", True
    """The provider cannot express this request."""
    AUTHENTICATION = "authentication_error", True
    """The provider refuses the gateway's key, or wants money."""
    MODEL_NOT_FOUND = "model_not_found", True
    RATE_LIMITED = "rate_limit_error", True
    OVERLOADED = "overloaded_error", True
    SERVER = "server_error", True
    CONNECTION = "connection_error", True
    TIMEOUT = "timeout_error", True
    PROTOCOL = "protocol_error", True
    """The answer makes no sense, or a stream ended without its proper end."""

    def __init__(self, error_type: str, elsewhere: bool) -> None:
        self.error_type = error_type
        self.elsewhere = elsewhere


class ProviderError(Exception):
    """A provider failed.

    Args:
        fault: what kind of failure, told from status and error code.
        message: what the vendor said, or what is wrong with what it said.
        status: its HTTP status, where there was one.
        retry_after_s: when it said to come back.
        param: the request's field at fault, where it named one.
        failed_generation: what the model had made, where that is what it refused.
    """

    def __init__(
        self,
        fault: Fault,
        message: str,
        status: int | None = None,
        retry_after_s: float | None = None,
        param: str = "",
        failed_generation: str = "",
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.param = param
        self.failed_generation = failed_generation
