"""Streams in the forms that the vendors of OpenAI's dialect give them, replayed in one piece and in awkward ones.

The transcripts are written after the vendors' references, oddities included; each ends as a proper stream does.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import orjson
import pytest
from msgspec.structs import replace

from server.dispatch.fold import fold_chat, fold_text
from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai.provider import build
from tests.fakes.answers import Raw
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import chat_ask, chat_batches, chunks_of, context
from trunkline.v1.chat_pb2 import ChatCompletion
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse, StreamTextCompletionResponse
from trunkline_json import CHAT_CHUNK, CHAT_COMPLETION, TEXT_COMPLETION, TEXT_REQUEST

FOLDER = Path(__file__).parent / "transcripts"
CUTS = ["whole", "bytes", "sevens", "halves of events", "two events and a half"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A stream, and what it amounts to.

    Attributes:
        file: its name.
        type: the vendor's.
        chunks: how many of them reach a caller who asked for no usage.
        answers: by choice: the finish reason, and what of the message is not empty.
        usage: input and output tokens.
        origin: id and model, the same on all chunks.
    """

    file: str
    type: str
    chunks: int
    answers: tuple[tuple[str, dict[str, object]], ...]
    usage: tuple[int, int]
    origin: tuple[str, str]

    @property
    def text(self) -> bytes:
        return (FOLDER / self.file).read_bytes()


def called(name: str, arguments: str, id: str) -> dict[str, object]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


TOOLS = [called("weather", '{"city":"Zürich"}', "call_a1"), called("time", "{}", "call_b2")]
TRANSCRIPTS = [
    Transcript(
        "openai_text.txt",
        "openai",
        6,
        (("stop", {"content": "Grüß dich 👋🏽!"}),),
        (12, 5),
        ("chatcmpl-Bx81", "gpt-4o-mini-2024-07-18"),
    ),
    Transcript(
        "openai_tools.txt",
        "openai",
        7,
        (("tool_calls", {"tool_calls": TOOLS}),),
        (12, 30),
        ("chatcmpl-Bx82", "gpt-4o-mini-2024-07-18"),
    ),
    Transcript(
        "openai_two_choices.txt",
        "openai",
        8,
        (("length", {"content": "One end"}), ("stop", {"refusal": "I cannot."})),
        (12, 5),
        ("chatcmpl-Bx83", "gpt-4o-mini-2024-07-18"),
    ),
    Transcript(
        "azure_filters.txt",
        "azure_openai",
        6,
        (("stop", {"content": "Hello there"}),),
        (12, 5),
        ("chatcmpl-Az1", "gpt-4o-2024-11-20"),
    ),
    Transcript(
        "xai_tools.txt",
        "grok",
        4,
        (
            (
                "tool_calls",
                {
                    "reasoning_content": "The user wants weather.",
                    "tool_calls": [called("weather", '{"city":"Bern"}', "call_x")],
                },
            ),
        ),
        (20, 109),
        ("d1f0", "grok-4"),
    ),
    Transcript(
        "mistral_tools.txt",
        "mistral",
        2,
        (
            (
                "tool_calls",
                {
                    "tool_calls": [
                        called("weather", '{"city": "Lyon"}', "aB3dE6gH9"),
                        called("time", "{}", "zB3dE6gH9"),
                    ]
                },
            ),
        ),
        (70, 29),
        ("cmpl-m1", "mistral-large-latest"),
    ),
    Transcript(
        "mistral_text.txt", "mistral", 3, (("length", {"content": "Salut"}),), (7, 2), ("cmpl-m1", "mistral-large-latest")
    ),
    Transcript(
        "groq_reasoning.txt",
        "groq",
        5,
        (("stop", {"content": "Yes.", "reasoning": "Short thought."}),),
        (30, 8),
        ("chatcmpl-g1", "openai/gpt-oss-120b"),
    ),
    Transcript(
        "openrouter_comments.txt",
        "openrouter",
        4,
        (("stop", {"content": "Fine", "reasoning": "Hm"}),),
        (5, 2),
        ("gen-1", "acme/large"),
    ),
    Transcript(
        "deepseek_reasoning.txt",
        "deepseek",
        6,
        (("stop", {"content": "Three.", "reasoning_content": "Count them."}),),
        (10, 12),
        ("ds-1", "deepseek-v4-pro"),
    ),
    Transcript("perplexity_full.txt", "perplexity", 3, (("stop", {"content": "Paris it is."}),), (4, 4), ("p-1", "sonar")),
    Transcript(
        "perplexity_reasoning.txt",
        "perplexity",
        8,
        (("stop", {"content": "Paris[1] it is < sure.", "reasoning_content": "Look it up."}),),
        (4, 8),
        ("p-2", "sonar-reasoning-pro"),
    ),
    Transcript(
        "mistral_thinking.txt",
        "mistral",
        6,
        (("stop", {"content": "It is four.", "reasoning_content": "Two and two."}),),
        (7, 20),
        ("cmpl-m3", "magistral-medium-latest"),
    ),
    Transcript(
        "blackbox_none.txt",
        "blackbox",
        3,
        (("stop", {"content": "None of it."}),),
        (3, 4),
        ("gen_b1", "blackboxai/acme/large"),
    ),
    Transcript(
        "groq_tools.txt",
        "groq",
        4,
        (
            (
                "tool_calls",
                {"tool_calls": [called("weather", '{"city":"Zürich"}', "call_g1"), called("time", "{}", "call_g2")]},
            ),
        ),
        (30, 18),
        ("chatcmpl-g2", "llama-3.3-70b-versatile"),
    ),
    Transcript(
        "openrouter_tools.txt",
        "openrouter",
        5,
        (("tool_calls", {"reasoning": "Look.", "tool_calls": [called("weather", '{"city":"Bern"}', "call_o1")]}),),
        (5, 12),
        ("gen-2", "acme/large"),
    ),
    Transcript(
        "compatible_calls.txt",
        "openai_compatible",
        5,
        (
            (
                "tool_calls",
                {
                    "tool_calls": [
                        called("weather", '{"city":"Bern"}', "call_x-1_0_0"),
                        called("time", "{}", "call_x-1_0_1"),
                    ]
                },
            ),
        ),
        (6, 8),
        ("x-1", "local"),
    ),
    Transcript(
        "vllm_reasoning.txt",
        "vllm",
        6,
        (("stop", {"content": "Grüß dich", "reasoning": "Hm, so."}),),
        (3, 6),
        ("chatcmpl-v2", "qwen3"),
    ),
    Transcript("vllm_text.txt", "vllm", 3, (("stop", {"content": "Hi!"}),), (3, 2), ("chatcmpl-v1", "qwen3")),
]
every_transcript = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.file)
verbatim = pytest.mark.parametrize(
    "transcript",
    [transcript for transcript in TRANSCRIPTS if transcript.type in ("openai", "vllm")],
    ids=lambda transcript: transcript.file,
)


def cut(text: bytes, how: str) -> tuple[bytes, ...]:
    """The reads that a body comes in."""
    if how == "whole":
        return (text,)
    if how in ("bytes", "sevens"):
        size = 1 if how == "bytes" else 7
        return tuple(text[start : start + size] for start in range(0, len(text), size))
    blank = b"\r\n\r\n" if b"\r\n" in text else b"\n\n"
    events = text.split(blank)
    middles, place = [], 0
    for event in events[:-1]:
        middles.append(place + len(event) // 2)
        place += len(event) + len(blank)
    places = [0, *middles[:: 1 if how == "halves of events" else 2], len(text)]
    return tuple(text[begin:end] for begin, end in pairwise(places))


async def replay(vendor: ScriptedVendor, type: str, text: bytes, how: str, ask: Ask) -> list[StreamChatCompletionResponse]:
    """The batches that a stream gives."""
    vendor.add(Raw(200, {"content-type": "text/event-stream"}, cut(text, how)))
    root = f"{vendor.url}/openai/v1" if type == "azure_openai" else f"{vendor.url}/v1"
    async with context(type, base_url=root, api_key=vendor.key) as given:
        return await chat_batches(build(given), ask)


def as_json(batches: list[StreamChatCompletionResponse]) -> list[object]:
    """The chunks as a caller's SDK gets them, in whichever form they came."""
    typed = [[CHAT_CHUNK.render(chunk) for chunk in batch.chunks] for batch in batches]
    unread = [[orjson.loads(line) for lines in batch.chunks_json for line in lines.splitlines()] for batch in batches]
    return [chunk for pair in zip(typed, unread, strict=True) for chunks in pair for chunk in chunks]


def answers(completion: ChatCompletion) -> tuple[tuple[str, dict[str, object]], ...]:
    """By choice: the finish reason, and what of the message is not empty."""
    rendered = cast(list[dict[str, dict[str, object]]], CHAT_COMPLETION.render(completion)["choices"])
    names = ("content", "refusal", "reasoning", "reasoning_content", "tool_calls")
    return tuple(
        (
            str(choice["finish_reason"]),
            {name: choice["message"][name] for name in names if choice["message"].get(name)},
        )
        for choice in rendered
    )


@every_transcript
async def test_a_stream_amounts_to_its_answer(vendor: ScriptedVendor, transcript: Transcript) -> None:
    batches = await replay(vendor, transcript.type, transcript.text, "whole", chat_ask({}, streamed=True))
    chunks = chunks_of(batches)
    assert len(chunks) == transcript.chunks
    assert [without_types(answer) for answer in answers(fold_chat(chunks))] == [
        without_types(answer) for answer in transcript.answers
    ]
    usages = [batch.usage for batch in batches if batch.HasField("usage")]
    assert (usages[-1].input_tokens, usages[-1].output_tokens) == transcript.usage
    assert {(chunk.id, chunk.model) for chunk in chunks} == {transcript.origin}
    assert batches[-1].finishing


def without_types(answer: tuple[str, dict[str, object]]) -> tuple[str, dict[str, object]]:
    """An answer without the types of its calls, which Mistral leaves out."""
    calls = cast(list[dict[str, object]], answer[1].get("tool_calls", []))
    bare = [{key: value for key, value in call.items() if key != "type"} for call in calls]
    return (answer[0], {**answer[1], "tool_calls": bare})


@every_transcript
@pytest.mark.parametrize("how", CUTS[1:])
async def test_a_stream_gives_the_same_chunks_however_it_is_cut(
    vendor: ScriptedVendor, transcript: Transcript, how: str
) -> None:
    ask = chat_ask({"stream_options": {"include_usage": True}}, streamed=True)
    whole = await replay(vendor, transcript.type, transcript.text, "whole", ask)
    pieces = await replay(vendor, transcript.type, transcript.text, how, ask)
    assert as_json(pieces) == as_json(whole)
    assert [batch.usage for batch in pieces if batch.HasField("usage")][-1] == whole[-1].usage


@verbatim
@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("usage", [True, False], ids=["usage asked for", "no usage"])
async def test_a_stream_says_the_same_as_messages_and_as_json(
    vendor: ScriptedVendor, transcript: Transcript, how: str, usage: bool
) -> None:
    ask = chat_ask({"stream_options": {"include_usage": usage}}, streamed=True)
    typed = await replay(vendor, transcript.type, transcript.text, how, ask)
    unread = await replay(vendor, transcript.type, transcript.text, how, replace(ask, as_json=True))
    assert as_json(unread) == as_json(typed)
    assert not any(batch.chunks_json for batch in typed)
    assert [batch.usage for batch in unread if batch.HasField("usage")] == [
        batch.usage for batch in typed if batch.HasField("usage")
    ]
    assert [batch.finishing for batch in unread][-1] == [batch.finishing for batch in typed][-1]


@pytest.mark.parametrize("transcript", TRANSCRIPTS[:3], ids=lambda transcript: transcript.file)
async def test_json_that_needs_no_repair_is_handed_on_unread(vendor: ScriptedVendor, transcript: Transcript) -> None:
    ask = replace(chat_ask({}, streamed=True), as_json=True)
    batches = await replay(vendor, transcript.type, transcript.text, "whole", ask)
    assert all(chunk in transcript.text for batch in batches for lines in batch.chunks_json for chunk in lines.splitlines())
    assert [len(batch.chunks) for batch in batches] == [0]


@every_transcript
async def test_the_usage_chunk_comes_only_to_who_asked_for_it(vendor: ScriptedVendor, transcript: Transcript) -> None:
    for asked in (True, False):
        ask = chat_ask({"stream_options": {"include_usage": asked}}, streamed=True)
        chunks = as_json(await replay(vendor, transcript.type, transcript.text, "whole", ask))
        with_usage = [chunk for chunk in chunks if cast(dict[str, object], chunk).get("usage")]
        assert bool(with_usage) == asked


@every_transcript
async def test_a_stream_that_breaks_off_before_its_end_is_an_error(vendor: ScriptedVendor, transcript: Transcript) -> None:
    end = transcript.text.index(b"finish_reason")
    end = transcript.text.index(b"\n", end) + 2
    text = transcript.text[:end]
    with pytest.raises(ProviderError) as raised:
        await replay(vendor, transcript.type, text, "whole", chat_ask({}, streamed=True))
    assert raised.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize("how", CUTS)
async def test_a_text_stream_amounts_to_its_answer(vendor: ScriptedVendor, how: str) -> None:
    text = (FOLDER / "openai_text_completion.txt").read_bytes()
    request = TEXT_REQUEST.parse({"model": "alias", "prompt": ["a", "b"]}, strict=True)
    ask = Ask(Operation.TEXT, request, "gpt-3.5-turbo-instruct", streamed=True, timeout_s=20)
    batches = cast(list[StreamTextCompletionResponse], await replay(vendor, "openai", text, how, ask))
    folded = TEXT_COMPLETION.render(fold_text([chunk for batch in batches for chunk in batch.chunks]))
    assert folded["choices"] == [
        {"index": 0, "text": "Once upon", "finish_reason": "stop", "logprobs": None},
        {"index": 1, "text": "Then", "finish_reason": "length", "logprobs": None},
    ]
    assert [batch.usage.total_tokens for batch in batches if batch.HasField("usage")] == [5]
