"""Server-sent events as a test reads them: every byte of the body is accounted for."""

import json
from dataclasses import dataclass

from tests.fakes.http1_request import JsonObject

COMMENT = b": keep-alive"


@dataclass(frozen=True, slots=True)
class Events:
    """A whole body, taken apart.

    Attributes:
        chunks: the events that are JSON, in order.
        done: whether the last event was `[DONE]`.
        comments: how many comments there were.
    """

    chunks: list[JsonObject]
    done: bool
    comments: int


def parse(body: bytes) -> Events:
    """Takes a body apart; anything but `data: ` events of one line and comments is a fault of the gateway's."""
    assert body.endswith(b"\n\n"), "the body ends within an event"
    blocks = body.split(b"\n\n")[:-1]
    comments = blocks.count(COMMENT)
    blocks = [block for block in blocks if block != COMMENT]
    for block in blocks:
        assert block.startswith(b"data: "), block
        assert b"\n" not in block, block
        assert b"\r" not in block, block
    data = [block.removeprefix(b"data: ") for block in blocks]
    done = data[-1:] == [b"[DONE]"]
    return Events([json.loads(text) for text in (data[:-1] if done else data)], done, comments)
