"""What limits are asked about."""

import msgspec

from server.caller import Caller

MODEL = "model"
"""The scope of what is for one model."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """Something that somebody is about to do.

    Attributes:
        caller: who.
        operation: chat, text, embeddings, images or videos; empty: none of them.
        endpoint: the path that it came in by; empty: it came by gRPC.
        model: as asked for; where it is counted, its own name.
        tokens: how many it is expected to use, input and output together.
        micros: what it is expected to cost, in millionths of a US dollar.
        most_tokens: how many it may use; no fewer.
        most_micros: what it may cost; no less, or nothing where the price is not known.
        begin_time: its intent's, in microseconds since the epoch; 0: now.
    """

    caller: Caller
    operation: str
    endpoint: str
    model: str
    tokens: int = 0
    micros: int = 0
    most_tokens: int = 0
    most_micros: int = 0
    begin_time: int = 0

    def of(self, scope: str) -> str:
        """Whose of a scope it is: the id of the caller's tenant, user or key, or the model; empty: nobody's."""
        match scope:
            case "tenant":
                return self.caller.tenant_id
            case "user":
                return self.caller.user_id
            case "key":
                return self.caller.key_id or self.caller.name
            case "model":
                return self.model
        return ""
