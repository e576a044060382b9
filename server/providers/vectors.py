"""Texts to embed and their vectors, between the contract and vendors that take texts only and send plain numbers."""

import base64
import struct
from collections.abc import Sequence

from server.providers.errors import Fault, ProviderError
from server.providers.unsupported import unsupported
from trunkline.v1.text_pb2 import Embedding, TextInput


def input_texts(given: TextInput, param: str = "input") -> list[str]:
    """The texts of an input.

    Args:
        given: the contract's.
        param: the request's field that it is.

    Raises:
        ProviderError: UNSUPPORTED where the texts come as tokens, which are another vendor's.
    """
    match given.WhichOneof("form"):
        case "text":
            return [given.text]
        case "texts":
            return list(given.texts.values)
    raise unsupported("The provider takes texts, and no tokens.", param)


def embedding(index: int, values: Sequence[float], in_base64: bool) -> Embedding:
    """A vector as the caller wants it.

    Args:
        index: which of the texts it is of.
        values: its numbers.
        in_base64: whether they are wanted as base64 of little-endian 32-bit floats.

    Raises:
        ProviderError: PROTOCOL when a number is too large for that.
    """
    if not in_base64:
        return Embedding(index=index, values=values)
    try:
        packed = struct.pack(f"<{len(values)}f", *values)
    except (OverflowError, struct.error):
        raise ProviderError(Fault.PROTOCOL, "The provider's vector has a number that is too large.") from None
    return Embedding(index=index, values_base64=base64.b64encode(packed).decode())
