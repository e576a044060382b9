"""What takes a call that no servicer takes."""

from collections.abc import AsyncGenerator
from typing import cast

import grpc
from google.protobuf.message import Message

from server.inprocess.context import ENDINGS, Context
from server.interceptors.chain import Handler


class NoHandler:
    """Ends every call with a status.

    Args:
        code: the status.
        details: its text.
    """

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._status = code, details

    async def unary_unary(self, request: Message, context: Context) -> Message:
        await context.abort(*self._status)

    async def unary_stream(self, request: Message, context: Context) -> AsyncGenerator[Message, None]:
        await context.abort(*self._status)
        yield request


NO_METHOD = cast(Handler, NoHandler(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
STOPPED = cast(Handler, NoHandler(grpc.StatusCode.UNAVAILABLE, ENDINGS[grpc.StatusCode.UNAVAILABLE]))
