"""The older forms' streams: transcripts in whatever pieces they arrive, and what is no proper stream."""

from collections.abc import Callable, Iterable

import pytest

from server.providers.errors import Fault, ProviderError
from server.providers.legacy.answer import Piece
from server.providers.legacy.anthropic import CompletionStream
from server.providers.legacy.cohere import GenerationStream
from server.providers.legacy.form import PieceStream
from tests.server.providers.recorded import TRANSCRIPTS, bytewise, crlf, halved

ANTHROPIC = (TRANSCRIPTS / "legacy_anthropic.sse").read_bytes()
COHERE = (TRANSCRIPTS / "legacy_cohere.jsonl").read_bytes()
NewStream = Callable[[], PieceStream]
every_transcript = pytest.mark.parametrize(
    ("recorded", "new_stream", "texts", "last"),
    [
        (
            ANTHROPIC,
            CompletionStream,
            ["Grüß", " Gott", ",", " 世界 🌍", "!\n"],
            ("stop", None, "compl_01CtvorJWMstkmATFkR7qVYM", "claude-2.1"),
        ),
        (COHERE, GenerationStream, [" Grüß", " Gott", ",", " 世界 🌍", "!\n"], ("length", (6, 9), "6f2a", "")),
    ],
    ids=["anthropic", "cohere"],
)


def read(reads: Iterable[bytes], stream: PieceStream) -> list[Piece]:
    """What the reads bring, and the end of the body after them."""
    return [piece for data in (*reads, b"") for piece in stream.pieces(data)]


@every_transcript
def test_a_transcript_gives_the_same_pieces_however_it_arrives(
    recorded: bytes, new_stream: NewStream, texts: list[str], last: tuple[object, ...]
) -> None:
    for reads in ([recorded], bytewise(recorded), crlf(recorded.replace(b"\r\n", b"\n")), *halved(recorded)):
        stream = new_stream()
        pieces = read(reads, stream)
        assert stream.done
        assert [piece.text for piece in pieces if piece.text] == texts
        assert [piece.finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + [last[0]]
        usage = pieces[-1].usage
        counts = None if usage is None else (usage.input_tokens, usage.output_tokens)
        assert (counts, pieces[-1].id, pieces[-1].model) == last[1:]


@every_transcript
def test_a_transcript_without_its_last_event_is_not_done(
    recorded: bytes, new_stream: NewStream, texts: list[str], last: tuple[object, ...]
) -> None:
    stream = new_stream()
    without = recorded[: recorded.rstrip().rindex(b"event: " if last[3] else b"\n")]
    assert [piece.text for piece in read([without], stream) if piece.text] == texts
    assert not stream.done


@every_transcript
def test_a_transcript_without_its_last_line_feed_is_done(
    recorded: bytes, new_stream: NewStream, texts: list[str], last: tuple[object, ...]
) -> None:
    stream = new_stream()
    assert [piece.text for piece in read([recorded.rstrip()], stream) if piece.text] == texts
    assert (stream.done, len(last)) == (True, 4)


@pytest.mark.parametrize(
    ("new_stream", "data", "fault"),
    [
        (CompletionStream, b'event: completion\ndata: {"completion":5}\n\n', Fault.PROTOCOL),
        (CompletionStream, b'event: completion\ndata: {"completion":"a"\n\n', Fault.PROTOCOL),
        (CompletionStream, b"event: error\ndata: oops\n\n", Fault.SERVER),
        (
            CompletionStream,
            b'event: error\ndata: {"error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
            Fault.OVERLOADED,
        ),
        (GenerationStream, b'{"event_type":"text-generation","text":5}\n', Fault.PROTOCOL),
        (GenerationStream, b'{"event_type":"text-gen\n', Fault.PROTOCOL),
        (GenerationStream, b'{"message":"Broken."}\n', Fault.SERVER),
        (GenerationStream, b'{"event_type":"stream-error","finish_reason":"ERROR","err":"Broken."}\n', Fault.SERVER),
        (GenerationStream, b'{"event_type":"stream-error","err":"Broken."}\n', Fault.SERVER),
        (GenerationStream, b'{"event_type":"stream-end","finish_reason":"ERROR_LIMIT"}\n', Fault.CONTEXT_LENGTH),
        (GenerationStream, b'{"event_type":"stream-end","finish_reason":"TIMEOUT"}\n', Fault.TIMEOUT),
    ],
)
def test_what_is_no_proper_stream_is_an_error(new_stream: NewStream, data: bytes, fault: Fault) -> None:
    stream = new_stream()
    with pytest.raises(ProviderError) as raised:
        read([data], stream)
    assert (raised.value.fault, stream.done) == (fault, False)


def test_events_that_nobody_knows_are_passed_over() -> None:
    data = b'{"event_type":"news"}\n\n{"event_type":"stream-end","finish_reason":"ERROR_TOXIC"}\n'
    assert read([data], GenerationStream())[-1].finish_reason == "content_filter"
