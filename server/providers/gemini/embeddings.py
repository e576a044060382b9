"""The contract's embeddings <-> Gemini's `batchEmbedContents`.

Source: https://ai.google.dev/api/embeddings (2026-11).
"""

from collections.abc import Iterator

import msgspec

from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of
from server.providers.gemini.errors import error_in
from server.providers.gemini.wire import WireUsage
from server.providers.parameters import body_bytes
from server.providers.vectors import embedding, input_texts
from server.providers.wire import decoded
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.text_pb2 import EmbeddingList, EmbeddingRequest

_LARGEST_BATCH = 100
_OWN = {"task_type": "taskType", "title": "title"}


class _Vector(msgspec.Struct):
    values: list[float] = []


class _Vectors(msgspec.Struct, rename="camel"):
    embeddings: list[_Vector]
    usage_metadata: WireUsage | None = None


_VECTORS = msgspec.json.Decoder(_Vectors)


def vendor_bodies(request: EmbeddingRequest, model: str) -> Iterator[tuple[bytes, int]]:
    """Writes a request in the vendor's form, in as many bodies as its texts need; with each the number of its texts.

    Args:
        request: the contract's.
        model: the vendor's name of the model, with what stands before it.

    Raises:
        ProviderError: UNSUPPORTED for token ids; INVALID_REQUEST where there is no text.
    """
    texts = input_texts(request.input)
    if not texts:
        raise ProviderError(Fault.INVALID_REQUEST, "There is no text to embed.", param="input")
    extras = extra_of(request)
    common: dict[str, object] = {
        name: extras.get(name, extras.get(spelled)) for spelled, name in _OWN.items() if name in extras or spelled in extras
    }
    if request.HasField("dimensions"):
        common["outputDimensionality"] = request.dimensions
    for start in range(0, len(texts), _LARGEST_BATCH):
        batch = texts[start : start + _LARGEST_BATCH]
        requests = [{"model": model, "content": {"parts": [{"text": text}]}, **common} for text in batch]
        yield body_bytes({"requests": requests}), len(batch)


class Vectors:
    """The vectors of all answers to one request.

    Args:
        model: the model asked.
        in_base64: whether the caller wants them as base64 of little-endian single precision.
    """

    def __init__(self, model: str, in_base64: bool) -> None:
        self._list = EmbeddingList(model=model)
        self._in_base64 = in_base64

    def add(self, body: bytes, count: int) -> None:
        """Takes the answer to one body of so many texts.

        Raises:
            ProviderError: PROTOCOL when it is no such answer; whatever it says, when it is an error.
        """
        answer = decoded(_VECTORS, body, error_in, "The provider's answer has no vectors.")
        if len(answer.embeddings) != count:
            raise ProviderError(Fault.PROTOCOL, "The provider's answer has another number of vectors than of texts.")
        first = len(self._list.data)
        for index, vector in enumerate(answer.embeddings, first):
            self._list.data.append(embedding(index, vector.values, self._in_base64))
        if answer.usage_metadata is not None:  # only newer models count
            tokens = answer.usage_metadata.prompt_token_count or 0
            before = self._list.usage
            total = before.input_tokens + tokens
            self._list.usage.CopyFrom(Usage(input_tokens=total, total_tokens=total))

    def embeddings(self) -> EmbeddingList:
        """All of them, in the order of the texts."""
        return self._list
