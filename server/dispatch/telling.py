"""What is told of an answer beside it, in log and trailers."""

from collections.abc import Sequence

from server.call import Call
from server.providers.base import Batch
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)


def note_usage(call: Call, usage: Usage) -> None:
    """Tells trailers and log what the answer used."""
    if not (usage.HasField("input_tokens") or usage.HasField("output_tokens")):
        return
    told = (
        ("trunkline-input-tokens", str(usage.input_tokens)),
        ("trunkline-output-tokens", str(usage.output_tokens)),
    )
    if "input_tokens" in call.notes:  # usage came before: some vendors repeat it as it grows
        replace_trailers(call, told)
    else:
        call.trailers.extend(told)
    call.notes["input_tokens"] = usage.input_tokens
    call.notes["output_tokens"] = usage.output_tokens


def replace_trailers(call: Call, trailers: Sequence[tuple[str, str]]) -> None:
    """Tells trailers in the place of what was told under the same keys."""
    keys = {key for key, _ in trailers}
    call.trailers[:] = [*(trailer for trailer in call.trailers if trailer[0] not in keys), *trailers]


def usage_of(batch: Batch) -> Usage | None:
    """The usage that a batch brought; None where it brought none."""
    match batch:
        case StreamChatCompletionResponse() | StreamTextCompletionResponse():
            return batch.usage if batch.HasField("usage") else None
        case CreateEmbeddingsResponse():
            return batch.embeddings.usage if batch.embeddings.HasField("usage") else None
        case _:
            return None
