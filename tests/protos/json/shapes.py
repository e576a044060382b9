"""What JSON OpenAI's clients and vendors send, as strategies; and JSON that nobody should send.

Every object may lack any key, have null for it, and have keys that the contract has never heard of.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Shape: TypeAlias = "SearchStrategy[dict[str, object]]"
Strategy: TypeAlias = "SearchStrategy[object]"

TEXTS = st.text(max_size=12) | st.sampled_from(["", "\0", "𝄞🙂", "é\u2028", "\ud7ff\ue000", '"\\', "None"])
NUMBERS: Strategy = (
    st.integers(-3, 300) | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
INT32S: Strategy = st.integers(-3, 5) | st.integers(-(2**31), 2**31 - 1)
INT64S: Strategy = st.integers(-3, 5) | st.integers(-(2**63), 2**63 - 1)
BOOLEANS: Strategy = st.booleans()
SCALARS: Strategy = st.none() | BOOLEANS | NUMBERS | TEXTS
KNOWN = """
model messages role content content_parts name tool_calls function arguments tool_choice mode type stop text list
parameters parameters_json nulls extra_json logit_bias metadata choices delta message index finish_reason logprobs
bytes token top_logprobs usage prompt_tokens input_tokens created create_time object data embedding values
values_base64 prompt input stream stream_options image_url url response_format json_schema schema
"""
KNOWN_KEYS = st.sampled_from(KNOWN.split())
"""Keys that mean something somewhere, and names of fields whose keys are others."""

KEYS = KNOWN_KEYS | st.text(max_size=6)
ANY: Strategy = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
OBJECTS: Shape = st.dictionaries(KEYS, ANY, max_size=6)
"""Any JSON object, mostly of keys that are known somewhere else."""


def shape(fields: Mapping[str, Strategy], always: Mapping[str, Strategy] | None = None) -> Shape:
    """An object with any of the fields, each a value of its strategy or null, and keys of nobody beside them.

    Args:
        fields: by key.
        always: fields that are never absent, nor null where their strategy is not.
    """
    known = {*fields, *(always or {}), "object"}
    unknown = st.dictionaries(KEYS.filter(lambda key: key not in known), ANY, max_size=2)
    given = st.fixed_dictionaries(dict(always or {}), optional={key: st.none() | value for key, value in fields.items()})
    return cast(Shape, st.tuples(given, st.just({}) | unknown).map(lambda parts: {**parts[1], **parts[0]}))


def some(item: Strategy) -> Strategy:
    return st.lists(item, max_size=3)


def each(keys: str, value: Strategy) -> dict[str, Strategy]:
    return dict.fromkeys(keys.split(), value)


def strings(keys: str) -> dict[str, Strategy]:
    return each(keys, TEXTS)


SCHEMAS: Strategy = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "null"])}, optional={"enum": some(SCALARS)}),
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(TEXTS, inner, max_size=3)},
            optional={
                "required": some(TEXTS),
                "additionalProperties": BOOLEANS,
                "$defs": st.dictionaries(TEXTS, inner, max_size=2),
            },
        )
        | st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)})
    ),
    max_leaves=8,
)

FUNCTION_CALL = shape(strings("name arguments"))
TOOL_CALL = shape({**strings("id type"), "index": INT32S, "function": FUNCTION_CALL})
PART = shape(
    {
        **strings("type text refusal"),
        "image_url": shape(strings("url detail")),
        "input_audio": shape(strings("data format")),
        "file": shape(strings("file_id file_data filename")),
    }
)
_OF_MESSAGE: dict[str, Strategy] = {
    **strings("role name tool_call_id reasoning_content reasoning"),
    "tool_calls": some(TOOL_CALL),
    "thinking_blocks": some(shape(strings("type thinking signature data"))),
}
MESSAGE = shape({**_OF_MESSAGE, "content": TEXTS | some(PART), "refusal": TEXTS})
TOOL = shape(
    {
        "type": TEXTS,
        "function": shape({**strings("name description"), "parameters": SCHEMAS, "strict": BOOLEANS}),
    }
)
STREAM_OPTIONS = shape({"include_usage": BOOLEANS, "include_obfuscation": BOOLEANS})
STOP: Strategy = TEXTS | some(TEXTS)
SAMPLING: dict[str, Strategy] = {
    **each("temperature top_p presence_penalty frequency_penalty", NUMBERS),
    **each("max_tokens seed", INT64S),
    **strings("model user"),
    "n": INT32S,
    "stop": STOP,
    "logit_bias": st.dictionaries(TEXTS, NUMBERS, max_size=3),
    "stream_options": STREAM_OPTIONS,
}
CHAT_REQUEST = shape(
    {
        **SAMPLING,
        **strings("reasoning_effort verbosity service_tier safety_identifier prompt_cache_key"),
        **each("parallel_tool_calls logprobs store", BOOLEANS),
        "messages": some(MESSAGE),
        "tools": some(TOOL),
        "tool_choice": TEXTS | shape({"type": TEXTS, "function": shape({"name": TEXTS})}),
        "response_format": shape(
            {
                "type": TEXTS,
                "json_schema": shape({**strings("name description"), "schema": SCHEMAS, "strict": BOOLEANS}),
            }
        ),
        "max_completion_tokens": INT64S,
        "top_logprobs": INT32S,
        "metadata": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "modalities": some(TEXTS),
    }
)
PROMPT: Strategy = (
    TEXTS
    | st.lists(TEXTS, min_size=1, max_size=3)
    | st.lists(INT32S, min_size=1, max_size=3)
    | st.lists(st.lists(INT32S, max_size=3), min_size=1, max_size=3)
)
TEXT_REQUEST = shape(
    {**SAMPLING, "suffix": TEXTS, "prompt": PROMPT, "echo": BOOLEANS, "logprobs": INT32S, "best_of": INT32S}
)
EMBEDDING_REQUEST = shape({**strings("model encoding_format user"), "input": PROMPT, "dimensions": INT32S})
IMAGE_REQUEST = shape(
    {
        **strings("model prompt size quality style background moderation output_format response_format user"),
        "n": INT32S,
        "output_compression": INT32S,
    }
)

USAGE = shape(
    {
        **each("prompt_tokens completion_tokens total_tokens", INT64S),
        "prompt_tokens_details": shape(
            each("cached_tokens cache_write_tokens audio_tokens text_tokens image_tokens", INT64S)
        ),
        "completion_tokens_details": shape(
            each(
                "reasoning_tokens audio_tokens text_tokens accepted_prediction_tokens rejected_prediction_tokens",
                INT64S,
            )
        ),
    }
)


def _token(others: Strategy) -> Shape:
    return shape({"token": TEXTS, "logprob": NUMBERS, "bytes": some(INT32S), "top_logprobs": others})


TOKEN: Shape = st.recursive(
    _token(st.just([])),
    lambda inner: _token(st.lists(inner, max_size=2)),
    max_leaves=3,
)
LOGPROBS = shape({"content": some(TOKEN), "refusal": some(TOKEN)})
SECONDS: Strategy = st.integers(0, 253402300799)
ENVELOPE: dict[str, Strategy] = {**strings("id model service_tier system_fingerprint"), "created": SECONDS, "usage": USAGE}


def answer(kind: str, fields: Mapping[str, Strategy]) -> Shape:
    return shape(fields, {"object": st.just(kind)})


FINISH: Strategy = st.none() | TEXTS
CHOICE: dict[str, Strategy] = {"index": INT32S, "logprobs": LOGPROBS}
CHAT_CHUNK = answer(
    "chat.completion.chunk",
    {**ENVELOPE, "choices": some(shape({**CHOICE, "delta": MESSAGE}, {"finish_reason": FINISH}))},
)
WHOLE_MESSAGE = shape(_OF_MESSAGE, {"content": st.none() | TEXTS | some(PART), "refusal": st.none() | TEXTS})
CHAT_COMPLETION = answer(
    "chat.completion",
    {
        **ENVELOPE,
        "choices": some(
            shape({"index": INT32S, "message": WHOLE_MESSAGE}, {"finish_reason": FINISH, "logprobs": st.none() | LOGPROBS})
        ),
    },
)
TEXT_COMPLETION = answer(
    "text_completion",
    {
        **ENVELOPE,
        "choices": some(shape({"index": INT32S, "text": TEXTS}, {"finish_reason": FINISH, "logprobs": st.none() | ANY})),
    },
)
EMBEDDING_LIST = answer(
    "list",
    {
        "model": TEXTS,
        "usage": USAGE,
        "data": some(shape({"index": INT32S, "embedding": TEXTS | some(NUMBERS)})),
    },
)
IMAGE_LIST = shape(
    {
        "created": SECONDS,
        "data": some(shape(strings("url b64_json revised_prompt"))),
        "usage": shape(each("input_tokens output_tokens total_tokens", INT64S)),
    }
)
VIDEO_REQUEST = shape(
    {**strings("model prompt size quality response_format user"), "n": INT32S, "seconds": NUMBERS},
)
VIDEO_LIST = shape({"created": SECONDS, "data": some(shape(strings("url b64_json revised_prompt")))})


def same(one: object, other: object) -> bool:
    """Whether two JSON values are one: numbers by their value, and true is no number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def nested(depth: int, wrap: Callable[[object], object], innermost: object = 1) -> object:
    """A value within so many layers."""
    value = innermost
    for _ in range(depth):
        value = wrap(value)
    return value
