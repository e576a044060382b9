"""What an operator selected for a provider's model, put where a request leaves it open."""

from server.catalogue.selections import Defaults
from server.providers.base import Request
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.text_pb2 import TextCompletionRequest


def with_defaults(request: Request, defaults: Defaults) -> Request:
    """The request, or a copy with the defaults in it where there is room for one."""
    if not isinstance(request, ChatCompletionRequest | TextCompletionRequest):
        return request
    given = request.HasField("max_tokens") or (
        isinstance(request, ChatCompletionRequest) and request.HasField("max_completion_tokens")
    )
    max_tokens = None if given else defaults.max_tokens
    temperature = None if request.HasField("temperature") else defaults.temperature
    if max_tokens is None and temperature is None:
        return request
    filled = type(request)()
    filled.CopyFrom(request)  # type: ignore[arg-type]
    if max_tokens is not None:
        filled.max_tokens = max_tokens
    if temperature is not None:
        filled.temperature = temperature
    return filled
