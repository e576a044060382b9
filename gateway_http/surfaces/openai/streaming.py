"""A streamed RPC -> an SSE response, for chat and text completions alike.

The head goes out with the first message, so that a failure before it has its real status. A failure after it is one event
with the error, and no `[DONE]`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sanic import Request

from gateway_http.errors import from_client
from gateway_http.exchange import Exchange, with_proxy_info
from gateway_http.response import FrontResponse
from gateway_http.sse import CONTENT_TYPE, DONE, HEADERS, EventWriter, Keepalive, events
from trunkline_client import MessageStream, TrunklineError


class StreamMessage(Protocol):
    """What both kinds of messages say."""

    finishing: bool
    last: bool


S = TypeVar("S", bound=StreamMessage)


async def send_stream(
    request: Request,
    exchange: Exchange,
    stream: MessageStream[S],
    texts_of: Callable[[S], Sequence[bytes]],
    keepalive: Keepalive,
) -> None:
    """Sends a stream's chunks as they come, `_proxy_info` in the last one, then `[DONE]`.

    Once the answer is about to end, the last chunk waits for the next message or the end: that is how it is known to be it.

    Raises:
        TrunklineError: the RPC failed before its first message.
    """
    async with stream:
        await stream.open()
        headers = {**HEADERS, **exchange.headers(stream)}
        response = await request.respond(FrontResponse(b"", CONTENT_TYPE, headers))
        held: list[bytes] = []
        with EventWriter(response, keepalive) as writer:
            try:
                async for message in stream:
                    texts = texts_of(message)
                    if held or message.finishing or message.last:
                        texts = [*held, *texts]
                        held = texts if message.last else [texts.pop()] if message.finishing and texts else []
                    if texts is not held and texts and (waiting := writer.write(events(texts))) is not None:
                        await waiting
            except TrunklineError as error:
                held.append(from_client(error).body(exchange.request_id))
                await writer.end(events(held))
            else:
                if held:
                    held[-1] = with_proxy_info(held[-1], exchange.proxy_info(stream))
                await writer.end(events(held) + DONE)
