"""What is looked at in every answer before its body is read, and after: its status, whether it is a stream, and its end."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from server.providers.errors import Fault, ProviderError
from server.providers.http.base import LARGEST_BODY, Answer

Refusal = Callable[[int, Mapping[str, str], bytes, float], ProviderError]
"""The error of an answer whose status is no success, from its status, headers and body, and epoch seconds."""

_LONGEST_WAIT_FOR_END_S = 0.5
"""How long the end of the HTTP body is waited for after the stream's own, so that the connection can be kept."""


async def check_status(answer: Answer, refusal: Refusal, now: float) -> None:
    """Sees to it that the vendor did not refuse.

    Raises:
        ProviderError: what `refusal` makes of the answer.
    """
    if answer.status != 200:
        raise refusal(answer.status, answer.headers, await answer.error_body(), now)


async def good_body(answer: Answer, refusal: Refusal, now: float, limit: int = LARGEST_BODY) -> bytes:
    """The whole body of an answer that is no refusal, of `limit` bytes at most; see `check_status`."""
    await check_status(answer, refusal, now)
    return await answer.body(limit)


async def check_stream(
    answer: Answer, error_in: Callable[[bytes], ProviderError | None], content_type: str = "text/event-stream"
) -> None:
    """Sees to it that an answer is the stream that was asked for.

    Raises:
        ProviderError: what `error_in` finds in the answer's body, else PROTOCOL.
    """
    if answer.content_type != content_type:
        raise error_in(await answer.error_body()) or ProviderError(Fault.PROTOCOL, "The provider's answer is not a stream.")


def cut_short() -> ProviderError:
    """The error of a stream that ends before its answer does."""
    return ProviderError(Fault.PROTOCOL, "The provider's stream ended before the answer did.")


async def read_to_end(answer: Answer) -> None:
    """Lets the HTTP body of a finished stream end; the answer is whole, so that one that is late or breaks is no failure."""
    with suppress(TimeoutError, ProviderError):
        async with asyncio.timeout(_LONGEST_WAIT_FOR_END_S):
            while await answer.read():
                pass
