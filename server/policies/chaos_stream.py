"""How a fault happens: a provider's answer goes in, the same answer with the trouble in it comes out.

Knows nothing of which attempts are hit, see chaos.py.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
import orjson

from server.clock import Clock
from server.config.schema import FaultSettings
from server.providers.base import Ask, Batch
from server.providers.errors import Fault, ProviderError
from server.providers.openai.errors import refusal
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse

Begin = Callable[[Ask], AsyncGenerator[Batch, None]]
"""Asks the provider, as `Provider.stream` does."""

Sleep = Callable[[float], Awaitable[None]]

_LONGEST_S = 86_400.0
_SHORTEST_S = 0.001
"""What an attempt gets at least: no time at all would be read as no limit."""

_DEFAULT_DELAY_S = 1.0
_DEFAULT_STATUS = 500
_DEFAULT_CHUNKS = {"cut_stream": 1, "stall": 1}


@dataclass(frozen=True, slots=True)
class Time:
    """What a fault waits with.

    Attributes:
        clock: tells the time.
        sleep: waits for some seconds.
    """

    clock: Clock
    sleep: Sleep


async def with_fault(settings: FaultSettings, ask: Ask, begin: Begin, time: Time) -> AsyncGenerator[Batch, None]:
    """Answers as the provider would that has this trouble. A fault before the first chunk comes without asking the provider.

    Closing it closes the provider's generator.

    Yields:
        The provider's batches. The one in whose midst the fault happens comes in two parts, so that it is exact.

    Raises:
        ProviderError: as the provider with this trouble would raise it, or as the provider does.
    """
    start = time.clock.monotonic()
    left = _chunks_before(settings)
    if left == 0:
        await _happen(settings, ask, start, time)
        if ask.timeout_s is not None:
            left_s = ask.timeout_s - (time.clock.monotonic() - start)
            ask = msgspec.structs.replace(ask, timeout_s=max(_SHORTEST_S, left_s))
    async with aclosing(begin(ask)) as batches:
        async for batch in batches:
            if left == 0:
                yield batch
                continue
            head, tail = _split(batch, left) if ask.streamed else (batch, None)
            left -= _chunk_count(head) if ask.streamed else 1
            yield _not_last(head)
            if left == 0:
                await _happen(settings, ask, start, time)
            if tail is not None:
                yield tail
        if left:
            await _happen(settings, ask, start, time)


def _chunks_before(settings: FaultSettings) -> int:
    if settings.after_chunks is None:
        return _DEFAULT_CHUNKS.get(settings.type, 0)
    return settings.after_chunks


async def _happen(settings: FaultSettings, ask: Ask, start: float, time: Time) -> None:
    """Makes the trouble; returns only where the answer goes on after it."""
    given_s = None if settings.duration_ms is None else settings.duration_ms / 1000
    said = settings.error_message
    match settings.type:
        case "delay":
            await _wait(_DEFAULT_DELAY_S if given_s is None else given_s, ask, start, time)
        case "timeout":
            await _wait(given_s, ask, start, time)
            raise ProviderError(Fault.TIMEOUT, said or "The provider did not answer in time.")
        case "stall":
            await _wait(None, ask, start, time)
        case "error":
            raise _refused(settings.error_code or _DEFAULT_STATUS, said, None, time)
        case "rate_limit":
            raise _refused(429, said, settings.duration_ms, time)
        case "cut_stream":
            raise ProviderError(Fault.PROTOCOL, said or "The provider's stream ended before the answer did.")
        case "malformed":
            raise ProviderError(Fault.PROTOCOL, said or "The provider's answer is not JSON.")
        case "reset":
            raise ProviderError(Fault.CONNECTION, said or "The connection to the provider failed.")


async def _wait(wanted_s: float | None, ask: Ask, start: float, time: Time) -> None:
    """Waits, but no longer than the attempt may last; None: until it ends.

    Raises:
        ProviderError: TIMEOUT when the attempt's time is up.
    """
    left_s = _LONGEST_S if ask.timeout_s is None else ask.timeout_s - (time.clock.monotonic() - start)
    if wanted_s is not None and wanted_s < left_s:
        await time.sleep(wanted_s)
        return
    await time.sleep(max(0.0, left_s))
    raise ProviderError(Fault.TIMEOUT, "The provider did not answer in time.")


def _refused(status: int, said: str | None, retry_after_ms: int | None, time: Time) -> ProviderError:
    """The error that OpenAI's dialect would have made of an answer with this status."""
    headers = {} if retry_after_ms is None else {"retry-after-ms": str(retry_after_ms)}
    body = orjson.dumps({"error": {"message": said or f"Status {status}, made on purpose."}})
    return refusal(status, headers, body, time.clock.now())


def _chunk_count(batch: Batch) -> int:
    match batch:
        case StreamChatCompletionResponse():
            return len(batch.chunks) + len(_lines(batch))
        case StreamTextCompletionResponse():
            return len(batch.chunks)
        case _:
            return 1


def _lines(batch: StreamChatCompletionResponse) -> list[bytes]:
    """The chunks that came as JSON Lines, one by one."""
    return [line for lines in batch.chunks_json for line in lines.split(b"\n") if line.strip()]


def _not_last(batch: Batch) -> Batch:
    """The batch without the word that nothing follows: the fault does."""
    match batch:
        case StreamChatCompletionResponse(last=True) | StreamTextCompletionResponse(last=True):
            followed = type(batch).FromString(batch.SerializeToString())
            followed.last = False
            return followed
        case _:
            return batch


def _split(batch: Batch, count: int) -> tuple[Batch, Batch | None]:
    """The batch's first `count` chunks, and the rest with all that goes with the last one; None where there is no rest."""
    if _chunk_count(batch) <= count:
        return batch, None
    match batch:
        case StreamChatCompletionResponse():
            lines = _lines(batch)
            chat = StreamChatCompletionResponse()
            chat.CopyFrom(batch)
            del chat.chunks[:count]
            chat.chunks_json[:] = lines[max(0, count - len(batch.chunks)) :]
            head = StreamChatCompletionResponse(chunks=batch.chunks[:count])
            head.chunks_json.extend(lines[: max(0, count - len(batch.chunks))])
            return head, chat
        case StreamTextCompletionResponse():
            text = StreamTextCompletionResponse()
            text.CopyFrom(batch)
            del text.chunks[:count]
            return StreamTextCompletionResponse(chunks=batch.chunks[:count]), text
        case _:
            return batch, None
