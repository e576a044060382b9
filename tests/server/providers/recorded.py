"""Recorded streams, the chunks that they become, and the pieces in which they may arrive."""

import json
from pathlib import Path

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def transcript(name: str) -> tuple[bytes, list[dict[str, object]]]:
    """A recorded stream of events, and its chunks as OpenAI's JSON."""
    chunks: list[dict[str, object]] = json.loads((TRANSCRIPTS / f"{name}.chunks.json").read_text("utf-8"))
    return (TRANSCRIPTS / f"{name}.sse").read_bytes(), chunks


def bytewise(recorded: bytes) -> list[bytes]:
    return [recorded[place : place + 1] for place in range(len(recorded))]


def halved(recorded: bytes) -> list[list[bytes]]:
    """The two halves of every cut."""
    return [[recorded[:place], recorded[place:]] for place in range(1, len(recorded))]


def crlf(recorded: bytes) -> list[bytes]:
    return bytewise(recorded.replace(b"\n", b"\r\n"))


def eventwise(recorded: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in recorded.split(b"\n\n")[:-1]]


def without_last_blank_line(recorded: bytes) -> list[bytes]:
    return [recorded.rstrip(b"\n")]


def events(*data: str) -> bytes:
    """A stream of events that are named by the type in their data."""
    named = ((line.split('"type":"')[1].split('"')[0], line) for line in data)
    return "".join(f"event: {name}\ndata: {line}\n\n" for name, line in named).encode()
