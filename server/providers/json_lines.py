"""Bytes to lines of JSON, whatever the reads cut apart: the streams of vendors that send no events (sse.py)."""

from server.providers.errors import Fault, ProviderError

LARGEST_LINE = 32 * 1024 * 1024
"""The most bytes that one line may have."""


class LineParser:
    """Collects reads and gives out the lines that are complete, blank ones left out. One for each stream."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, read: bytes) -> list[bytes]:
        """The lines that a read completes.

        Raises:
            ProviderError: PROTOCOL when a line grows larger than `LARGEST_LINE`.
        """
        complete, found, rest = read.rpartition(b"\n")
        if not found:
            self._keep(read)
            return []
        lines = b"".join((*self._pieces, complete)).split(b"\n")
        self._pieces, self._size = [], 0
        self._keep(rest)
        return [line for line in lines if line.strip()]

    def finish(self) -> list[bytes]:
        """The line that the end of the body completes."""
        rest = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return [rest] if rest.strip() else []

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
        if self._size > LARGEST_LINE:
            raise ProviderError(Fault.PROTOCOL, f"The stream has a line larger than {LARGEST_LINE} bytes.")
