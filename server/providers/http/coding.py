"""Compressed bodies, expanded piece by piece, and no further than honest text shrinks."""

import zlib

from server.providers.errors import Fault, ProviderError

CODINGS = ("gzip", "deflate")
"""How answers may be compressed."""

_PIECE = 256 * 1024
_FREE_BYTES = 16 * 1024 * 1024
_MOST_EXPANSION = 100
"""JSON and events shrink to a tenth or, where they repeat themselves, a fiftieth; what is made to burst, to a thousandth."""

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB_METHOD = 8


class Expander:
    """Expands one body.

    Args:
        coding: one of `CODINGS`.
    """

    def __init__(self, coding: str) -> None:
        self._wbits = _GZIP if coding == "gzip" else 0
        self._expanding = zlib.decompressobj(_GZIP) if self._wbits else None
        self._rest = b""
        self._holds = False  # perhaps some text, though all its bytes were taken: a piece was full
        self._taken = 0
        self._given = 0

    @property
    def has_more(self) -> bool:
        """Whether there is more to expand of what it was given."""
        return self._holds or bool(self._rest)

    def expand(self, data: bytes = b"") -> bytes:
        """A piece of the body; more of the same data comes by further calls, without data, as long as `has_more`.

        Raises:
            ProviderError: PROTOCOL: it is not coded so, or expands without end.
        """
        self._taken += len(data)
        data = self._rest + data
        try:
            expanding = self._expander(data)
            piece = expanding.decompress(data, _PIECE)
        except zlib.error:
            raise _wrong("is not compressed as it says") from None
        self._rest = expanding.unconsumed_tail or expanding.unused_data
        if expanding.eof and self._wbits == _GZIP and self._rest:
            self._expanding = zlib.decompressobj(_GZIP)  # one more member follows
        elif expanding.eof:
            self._rest = b""
        self._holds = len(piece) == _PIECE and not expanding.eof
        self._given += len(piece)
        if self._given > _FREE_BYTES and self._given > _MOST_EXPANSION * self._taken:
            raise _wrong("expands without end")
        return piece

    def finish(self) -> None:
        """Says that nothing more comes.

        Raises:
            ProviderError: PROTOCOL: the body is not whole.
        """
        if self._expanding is not None and self._taken and not self._expanding.eof:
            raise _wrong("is not compressed as it says")

    def _expander(self, data: bytes) -> "zlib._Decompress":
        """Some servers call it deflate when they mean deflate, and some when they mean zlib, as HTTP does."""
        if self._expanding is None:
            self._wbits = zlib.MAX_WBITS if data[:1] and data[0] & 0xF == _ZLIB_METHOD else -zlib.MAX_WBITS
            self._expanding = zlib.decompressobj(self._wbits)
        return self._expanding


def _wrong(what: str) -> ProviderError:
    return ProviderError(Fault.PROTOCOL, f"The provider's answer {what}.")
