"""Events on their way to a caller that does not read."""

import asyncio

from gateway_http.response import FrontResponse
from gateway_http.sse import CONTENT_TYPE, EventWriter, Keepalive


class Unread(FrontResponse):
    """A response whose caller does not read until it is told to."""

    def __init__(self) -> None:
        super().__init__(b"", CONTENT_TYPE, {})
        self.waiting = 0
        self.sent: list[str | bytes | None] = []
        self.reads = asyncio.Event()

    def push(self, data: bytes) -> bool:
        return False

    async def send(self, data: str | bytes | None = None, end_stream: bool | None = None) -> None:
        self.waiting += 1
        await self.reads.wait()
        self.waiting -= 1
        self.sent.append(data)


async def test_of_all_comments_that_a_caller_does_not_read_one_waits() -> None:
    response = Unread()
    with EventWriter(response, Keepalive(0)) as writer:
        for _ in range(20):
            writer.turn()
            await asyncio.sleep(0)
        assert response.waiting == 1


async def test_a_caller_that_reads_gets_a_comment_for_every_silence() -> None:
    response = Unread()
    response.reads.set()
    with EventWriter(response, Keepalive(0)) as writer:
        for _ in range(7):
            writer.turn()
            await asyncio.sleep(0)
        assert response.sent == [b": keep-alive\n\n"] * 3
