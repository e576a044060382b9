"""Keeps a tool loop with the provider that holds its thoughts.

Models that reason sign or encrypt what they thought, and want it back while they call tools. Only the provider that made it
can read it: the loop goes on there, and another provider gets the conversation without what it cannot read. Who made a
message is known by the ids of the tool calls in it, which are noted as answers pass: two loops that begin with the same
question have calls of their own.
"""

import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass

import msgspec
import orjson

from server.providers.base import Ask, Batch, Operation
from server.providers.extra_fields import is_json_object
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

_MOST_CALLS = 10_000
_BOUND = ("reasoning_details", "thinking_blocks", "thought_signature", "signature", "encrypted_content", "extra_content")
"""Keys under which vendors put what only they can read. Source: the vendors' references, read in 2026-11."""

_ASKING = frozenset({"system", "developer", "user"})


class _CallLook(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None


class _MessageLook(msgspec.Struct, frozen=True):
    tool_calls: list[_CallLook] | None = None


class _ChoiceLook(msgspec.Struct, frozen=True):
    delta: _MessageLook | None = None
    message: _MessageLook | None = None


class _Look(msgspec.Struct, frozen=True):
    choices: list[_ChoiceLook] = []


_LOOK = msgspec.json.Decoder(_Look)
_NOTHING = _MessageLook()

Maker = tuple[str, str]
"""A provider and its model."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A request's place in a tool loop.

    Attributes:
        key: what its questions are known by; some vendors count their calls from 0, in every conversation.
        makers: who made the messages that not everybody can read, by place; None: it is not known.
        holder: who made the last of them since the last question; None: it is not known, and any will do.
    """

    key: bytes
    makers: Mapping[int, Maker | None]
    holder: Maker | None

    def unreadable(self, provider: str) -> list[int]:
        """The places of what a provider cannot read; what nobody is known to have made is the holder's."""
        made = ((place, maker or self.holder) for place, maker in self.makers.items())
        return [place for place, maker in made if maker is not None and maker[0] != provider]


class Affinity:
    """Remembers which target made each tool call."""

    def __init__(self) -> None:
        self._makers: OrderedDict[bytes, Maker] = OrderedDict()

    def loop(self, ask: Ask) -> Loop | None:
        """A request's tool loop; None: it is of none."""
        if ask.operation is not Operation.CHAT:
            return None
        request = ask.request
        assert isinstance(request, ChatCompletionRequest)
        if not request.tools:
            return None
        digest = hashlib.sha256(request.model.encode())
        makers: dict[int, Maker | None] = {}
        holder: Maker | None = None
        for place, message in enumerate(request.messages):
            if message.role in _ASKING:
                _take(digest, message)
                if message.role == "user":
                    holder = None
            elif _bound(message):
                maker = self._maker(digest.digest(), message)
                makers[place], holder = maker, maker or holder
        return Loop(digest.digest(), makers, holder)

    async def noting(
        self, batches: AsyncGenerator[Batch, None], loop: Loop, provider: str, model: str
    ) -> AsyncGenerator[Batch, None]:
        """Hands an answer on, and notes who makes the calls in it."""
        async with aclosing(batches):
            async for batch in batches:
                if isinstance(batch, StreamChatCompletionResponse):
                    for call_id in _call_ids(batch):
                        self.made(loop.key, call_id, provider, model)
                yield batch

    def made(self, loop: bytes, call_id: str, provider: str, model: str) -> None:
        """A target made a call."""
        key = loop + call_id.encode()
        self._makers[key] = provider, model
        self._makers.move_to_end(key)
        if len(self._makers) > _MOST_CALLS:
            self._makers.popitem(last=False)

    def _maker(self, loop: bytes, message: Message) -> Maker | None:
        makers = (self._makers.get(loop + call.id.encode()) for call in message.tool_calls)
        return next((maker for maker in makers if maker is not None), None)


def without(request: ChatCompletionRequest, places: Collection[int]) -> ChatCompletionRequest:
    """The request without what only others can read in the messages at some places."""
    if not places:
        return request
    copy = ChatCompletionRequest()
    copy.CopyFrom(request)
    for place in places:
        message = copy.messages[place]
        message.extra_json = _without(message.extra_json)
        for call in message.tool_calls:
            call.extra_json = _without(call.extra_json)
        message.ClearField("thinking_blocks")
        message.ClearField("reasoning_content")
        message.ClearField("reasoning")
    return copy


def _take(digest: "hashlib._Hash", message: Message) -> None:
    """Takes a message's words alone: what says how to cache them moves from turn to turn."""
    for text in (message.role, message.content, *(part.text for part in message.content_parts)):
        digest.update(text.encode())
        digest.update(b"\0")


def _call_ids(batch: StreamChatCompletionResponse) -> Iterator[str]:
    for chunk in batch.chunks:
        for choice in chunk.choices:
            for call in choice.delta.tool_calls:
                if call.id:
                    yield call.id
    for lines in batch.chunks_json:
        if b'"tool_calls"' not in lines:
            continue
        with suppress(msgspec.DecodeError):
            for look in _LOOK.decode_lines(lines):
                for made in look.choices:
                    for one in (made.delta or made.message or _NOTHING).tool_calls or ():
                        if one.id:
                            yield one.id


def _bound(message: Message) -> bool:
    if message.role != "assistant":
        return False
    extras = [message.extra_json, *(call.extra_json for call in message.tool_calls)]
    return bool(message.thinking_blocks) or any(f'"{key}"' in extra for extra in extras for key in _BOUND)


def _without(extra_json: str) -> str:
    if not is_json_object(extra_json):
        return extra_json  # whoever is asked refuses it
    extra = {key: value for key, value in orjson.loads(extra_json).items() if key not in _BOUND}
    return orjson.dumps(extra).decode() if extra else ""
