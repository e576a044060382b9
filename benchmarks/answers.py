"""What the scripted provider answers: OpenAI's dialect, made once, so that sending it costs a write and nothing else.

In: nothing. Out: bytes, and the pieces of text by which a load generator knows that nothing was lost on the way.
"""

import orjson

UNARY_MODEL = "bench-unary"
BURST_MODEL = "bench-burst"
PACED_MODEL = "bench-paced"
SLOW_MODEL = "bench-slow"
MODELS = (UNARY_MODEL, BURST_MODEL, PACED_MODEL, SLOW_MODEL)

CHUNK_COUNT = 64
UNARY_BODY_BYTES = 600

# Stands in every unary answer, and in every chunk of a stream that carries text.
ANSWER_MARK = b"Hello from the bench."
CHUNK_MARK = b" benchword"
# The first chunk brings the role and the last one the finish reason, neither brings text.
TEXT_CHUNK_COUNT = CHUNK_COUNT - 2

DONE_EVENT = b"data: [DONE]\n\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"

_ID = "chatcmpl-bench-0123456789"
_CREATED = 1_700_000_000
_USAGE = {
    "prompt_tokens": 13,
    "completion_tokens": 7,
    "total_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def json_answer(body: bytes, status: str = "200 OK") -> bytes:
    """Returns a whole HTTP answer around a JSON body."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def in_one_frame(data: bytes) -> bytes:
    """Returns the data as one frame of a chunked HTTP body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def unary_body() -> bytes:
    """Returns an unstreamed chat completion of exactly UNARY_BODY_BYTES bytes."""
    empty = _completion("")
    return _completion(ANSWER_MARK.decode().ljust(UNARY_BODY_BYTES - len(empty), "."))


def chunks(model: str) -> list[bytes]:
    """Returns the CHUNK_COUNT chunks of one stream in order, as events."""
    text = [_chunk(model, {"content": CHUNK_MARK.decode()}, None)] * TEXT_CHUNK_COUNT
    return [_chunk(model, {"role": "assistant", "content": ""}, None), *text, _chunk(model, {}, "stop")]


def usage_event() -> bytes:
    """Returns the event that follows the chunks where the usage was asked for."""
    chunk = {**_head(BURST_MODEL), "choices": [], "usage": _USAGE}
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _completion(content: str) -> bytes:
    return orjson.dumps(
        {
            "id": _ID,
            "object": "chat.completion",
            "created": _CREATED,
            "model": UNARY_MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_bench",
        }
    )


def _chunk(model: str, delta: dict[str, str], finish_reason: str | None) -> bytes:
    chunk = {
        **_head(model),
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
    }
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _head(model: str) -> dict[str, object]:
    return {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_bench",
    }
