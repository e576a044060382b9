"""The life of a streamed answer, whichever provider gives it and whichever face it leaves by.

    waiting --first batch--> answering --every choice has its finish reason--> finished --clean end--> ended
       |                         |                                                |
       +--------failure----------+------------------failure-----------------------+--> broken

An answer is whole only where it ended after it was finished. Silence after the finish reason is the one end that is
forgiven: what a model had to say it has said, and vendors are known to leave connections open.
"""

from enum import Enum

from server.providers.base import Batch
from server.providers.errors import Fault, ProviderError
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse

_END_S = 5.0
"""How long the end may take once every choice has its finish reason: the usage may still come."""

_END_AFTER_USAGE_S = 0.2
"""And once the usage has come: after that nothing does."""


class Phase(Enum):
    """Where an answer is."""

    WAITING = "waiting"
    ANSWERING = "answering"
    FINISHED = "finished"
    ENDED = "ended"
    BROKEN = "broken"


_STREAMED = (StreamChatCompletionResponse, StreamTextCompletionResponse)


class Life:
    """One answer's life. Told of everything that the provider does; says what it means.

    Args:
        first_chunk_s: how long the first chunk may take.
        idle_s: how long each other one may take.

    Attributes:
        patience_s: how long to wait for what comes next.
    """

    __slots__ = ("_idle_s", "_used", "patience_s", "phase")

    def __init__(self, first_chunk_s: float, idle_s: float) -> None:
        self._idle_s = idle_s
        self._used = False
        self.phase = Phase.WAITING
        self.patience_s = first_chunk_s

    def batch(self, batch: Batch) -> None:
        """A batch came."""
        if isinstance(batch, _STREAMED):
            if self.phase is not Phase.FINISHED and not batch.finishing:
                self.phase, self.patience_s = Phase.ANSWERING, self._idle_s
                return
            self._used = self._used or batch.HasField("usage")
        self.phase, self.patience_s = Phase.FINISHED, _END_AFTER_USAGE_S if self._used else _END_S

    def end(self) -> None:
        """The provider has nothing more to say.

        Raises:
            ProviderError: PROTOCOL, because the answer is not whole.
        """
        if self.phase is Phase.FINISHED:
            self.phase = Phase.ENDED
            return
        empty = self.phase is Phase.WAITING
        self.phase = Phase.BROKEN
        raise ProviderError(
            Fault.PROTOCOL,
            "The provider's answer is empty." if empty else "The provider's stream ended before the answer did.",
        )

    def fail(self, error: ProviderError) -> bool:
        """The provider failed. Tells whether the answer is broken; false: it was whole already, and has ended now."""
        if self.phase is Phase.FINISHED and error.fault is Fault.TIMEOUT:
            self.phase = Phase.ENDED
            return False
        self.phase = Phase.BROKEN
        return True
