"""The contract's embedding request -> the bodies of Cohere's second embedding API, and its answers back.

The vendor takes fewer texts at once than callers may send, so that one request can become several. Source:
https://docs.cohere.com/reference/embed (2026-11).
"""

from collections.abc import Iterator, Sequence

import msgspec
import orjson

from server.providers.base import Ask
from server.providers.cohere.answer import WireUsage
from server.providers.cohere.errors import error_in
from server.providers.errors import Fault, ProviderError
from server.providers.extra_fields import extra_of
from server.providers.parameters import body_bytes
from server.providers.vectors import input_texts
from server.providers.wire import UNREADABLE
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.text_pb2 import Embedding, EmbeddingList, EmbeddingRequest

Json = dict[str, object]

MOST_TEXTS = 96
"""The most texts of one call."""

_INPUT_TYPE = "search_document"
"""The vendor wants to know what the vectors are for; this is what they are mostly made for, texts to be found."""

_EXTRAS = ("truncate", "max_tokens", "priority")


class _Vectors(msgspec.Struct):
    floats: list[list[float]] | None = msgspec.field(default=None, name="float")
    base64: list[str] | None = None


class _WireEmbeddings(msgspec.Struct):
    embeddings: _Vectors
    meta: WireUsage | None = None


_EMBEDDINGS = msgspec.json.Decoder(_WireEmbeddings)


def embedding_bodies(ask: Ask, request: EmbeddingRequest) -> Iterator[bytes]:
    """Writes a request in the vendor's form: a body for each `MOST_TEXTS` texts.

    Raises:
        ProviderError: UNSUPPORTED where the texts come as tokens, which are another vendor's.
    """
    texts = input_texts(request.input)
    extras = extra_of(request)
    common: Json = {
        "model": ask.model,
        "input_type": extras.get("input_type") or _INPUT_TYPE,
        "embedding_types": [_encoding(request)],
    }
    if request.HasField("dimensions"):
        common["output_dimension"] = request.dimensions
    common.update((name, extras[name]) for name in _EXTRAS if extras.get(name) is not None)
    for start in range(0, len(texts), MOST_TEXTS):
        yield body_bytes({**common, "texts": texts[start : start + MOST_TEXTS]})


def embedding_list(answers: Sequence[bytes], ask: Ask, request: EmbeddingRequest) -> EmbeddingList:
    """The vectors of all answers, in the order of the texts.

    Raises:
        ProviderError: PROTOCOL when the bodies hold no vector for each text; what a body says, when it is an error.
    """
    data: list[Embedding] = []
    usages: list[WireUsage] = []
    encoding = _encoding(request)
    for body in answers:
        try:
            answer = _EMBEDDINGS.decode(body)
        except UNREADABLE:
            raise error_in(body) or _none() from None
        first = len(data)
        if encoding == "base64":
            encoded = enumerate(answer.embeddings.base64 or [], first)
            data.extend(Embedding(index=index, values_base64=text) for index, text in encoded)
        else:
            vectors = enumerate(answer.embeddings.floats or [], first)
            data.extend(Embedding(index=index, values=vector) for index, vector in vectors)
        usages.append(answer.meta or WireUsage())
    if len(data) != len(input_texts(request.input)):
        raise _none()
    return EmbeddingList(data=data, model=ask.model, usage=_summed(usages))


def _none() -> ProviderError:
    return ProviderError(Fault.PROTOCOL, "The provider's answer does not hold a vector for each text.")


def _encoding(request: EmbeddingRequest) -> str:
    return "base64" if request.encoding_format == "base64" else "float"


def _summed(usages: list[WireUsage]) -> Usage:
    counted, billed = 0, 0.0
    for usage in usages:
        counted += usage.typed().input_tokens
        units = (usage.billed_units or {}).get("input_tokens")
        billed += units if isinstance(units, int | float) else 0
    extra = orjson.dumps({"billed_units": {"input_tokens": int(billed)}}).decode()
    return Usage(input_tokens=counted, total_tokens=counted, extra_json=extra if billed else "")
