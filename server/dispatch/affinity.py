"""Keeps a tool loop with the provider that holds its thoughts.

Models that reason sign or encrypt what they thought, and want it back while they call tools. Only the provider that made it
can read it: the loop goes on there, and another provider gets the conversation without it.
"""

import hashlib
from collections import OrderedDict

import orjson

from server.providers.base import Ask, Operation
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message

_MOST_LOOPS = 10_000
_BOUND = ("reasoning_details", "thinking_blocks", "thought_signature", "signature", "encrypted_content", "extra_content")
"""Keys under which vendors put what only they can read. Source: the vendors' references, read in 2026-11."""


class Affinity:
    """Remembers which target began each tool loop, by the conversation up to its last question."""

    def __init__(self) -> None:
        self._targets: OrderedDict[bytes, tuple[str, str]] = OrderedDict()

    def loop(self, ask: Ask) -> bytes | None:
        """What a request's tool loop is known by; None: it is none."""
        if ask.operation is not Operation.CHAT:
            return None
        request = ask.request
        assert isinstance(request, ChatCompletionRequest)
        if not request.tools:
            return None
        asked = max((place for place, message in enumerate(request.messages) if message.role == "user"), default=-1)
        digest = hashlib.sha256(request.model.encode())
        for message in request.messages[: asked + 1]:
            digest.update(message.SerializeToString(deterministic=True))
        return digest.digest()

    def target(self, loop: bytes, ask: Ask) -> tuple[str, str] | None:
        """The provider and its model that a loop has to go on with; None: any will do."""
        return self._targets.get(loop) if any(map(_bound, ask.request.messages)) else None  # type: ignore[union-attr]

    def began(self, loop: bytes, provider: str, model: str) -> None:
        """A target answers a request of the loop."""
        self._targets[loop] = provider, model
        self._targets.move_to_end(loop)
        if len(self._targets) > _MOST_LOOPS:
            self._targets.popitem(last=False)


def unbound(request: ChatCompletionRequest) -> ChatCompletionRequest:
    """The request without what only another provider can read."""
    copy = ChatCompletionRequest()
    copy.CopyFrom(request)
    for message in copy.messages:
        if _bound(message):
            message.extra_json = _without(message.extra_json)
            for call in message.tool_calls:
                call.extra_json = _without(call.extra_json)
            message.ClearField("thinking_blocks")
            message.ClearField("reasoning_content")
            message.ClearField("reasoning")
    return copy


def _bound(message: Message) -> bool:
    if message.role != "assistant":
        return False
    extras = [message.extra_json, *(call.extra_json for call in message.tool_calls)]
    return bool(message.thinking_blocks) or any(f'"{key}"' in extra for extra in extras for key in _BOUND)


def _without(extra_json: str) -> str:
    if not extra_json:
        return ""
    extra = {key: value for key, value in orjson.loads(extra_json).items() if key not in _BOUND}
    return orjson.dumps(extra).decode() if extra else ""
