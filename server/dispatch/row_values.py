"""What a completion's row says that has to be found in requests, batches and attempts."""

import re
from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from server.dispatch.attempt import Attempt
from server.dispatch.failure import Failure
from server.ledger.entry import Tried
from trunkline.v1.chat_pb2 import ChatCompletionRequest
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest, VideoRequest

_PARAMETERS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "presence_penalty", "frequency_penalty"),
    *("seed", "reasoning_effort", "dimensions", "size", "quality"),
)
_PARAMETERS_OF: Mapping[type[Message], Sequence[str]] = {
    kind: tuple(name for name in _PARAMETERS if name in kind.DESCRIPTOR.fields_by_name)
    for kind in (ChatCompletionRequest, TextCompletionRequest, EmbeddingRequest, ImageRequest, VideoRequest)
}
CANCELLED = "cancelled"
"""What went wrong with an attempt that was ended before it answered: nobody waited for it any more."""

_WORD = re.compile(rb'\s*:\s*"(\w+)"')


def find_parameters(request: Message) -> dict[str, object]:
    """What the request sets of what its row has."""
    has = request.HasField
    return {name: getattr(request, name) for name in _PARAMETERS_OF[type(request)] if has(name)}


def find_finish_reason(batch: object) -> str:
    """The last finish reason of a batch; empty where it has none."""
    told = _last_told(batch, b'"finish_reason"')
    if not told:
        for chunk in reversed(getattr(batch, "chunks", ())):
            for choice in chunk.choices:
                if choice.finish_reason:
                    return str(choice.finish_reason)
    return told


def find_service_tier(batch: object) -> str:
    """The tier that served, as a batch tells it; empty where it does not."""
    told = _last_told(batch, b'"service_tier"')
    if not told:
        for chunk in reversed(getattr(batch, "chunks", ())):
            if tier := getattr(chunk, "service_tier", ""):
                return str(tier)
    return told


def _last_told(batch: object, name: bytes) -> str:
    """What the last member of that name is in a batch's JSON texts, where that is a word; empty where there is none."""
    for text in reversed(getattr(batch, "chunks_json", ())):
        end = len(text)
        while (at := text.rfind(name, 0, end)) >= 0:
            if found := _WORD.match(text, at + len(name)):
                return str(found[1].decode())
            end = at
    return ""


def tell_attempts(tried: Sequence[Attempt | Failure]) -> list[Tried]:
    """All attempts, in the order in which they began."""
    return [_tell(one) for one in tried]


def _tell(one: Attempt | Failure) -> Tried:
    name, model, error = one.target.settings.name, one.target.model, one.error
    if error is not None:
        return Tried(name, model, error.fault.error_type, error.status, one.latency_s)
    answered = isinstance(one, Attempt) and one.batch is not None
    return Tried(name, model, "" if answered else CANCELLED, latency_s=one.latency_s)
