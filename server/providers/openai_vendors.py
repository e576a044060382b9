"""The vendors that speak OpenAI's dialect: a row each, with where they are and what they want otherwise.

Adding one is adding a row. Source of every row: the vendor's API reference, read in 2026-11.
"""

from dataclasses import dataclass

from server.providers.base import Operation

_CHAT = frozenset({Operation.CHAT})
_CHAT_TEXT = _CHAT | {Operation.TEXT}
_CHAT_TEXT_EMBEDDINGS = _CHAT_TEXT | {Operation.EMBEDDINGS}
_ALL = frozenset(Operation)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's ways.

    Attributes:
        type: the settings' `type`.
        base_url: where its API is; None: the row must say.
        key_env: the usual variables of its key.
        needs_key: whether it refuses requests without one.
        models: what it serves when the row names no models.
        aliases: other names of the type.
        operations: what it can do.
        stream_usage: whether it takes `stream_options.include_usage`; the others send usage unasked.
        old_max_tokens: whether it knows only `max_tokens`.
        developer_role: whether it knows the role developer.
        renamed: request keys that it calls something else.
        refused: request keys that it refuses; they are dropped.
        verbatim: whether its chunks may be handed on as they are.
        reasoning_apart: whether its `completion_tokens` leave out the reasoning.
        none_strings: whether it writes absent values as the string "None".
        cumulative_chunks: whether chunks repeat usage and the text so far.
    """

    type: str
    base_url: str | None
    key_env: tuple[str, ...]
    models: tuple[str, ...] = ()
    needs_key: bool = True
    aliases: tuple[str, ...] = ()
    operations: frozenset[Operation] = _CHAT
    stream_usage: bool = True
    old_max_tokens: bool = False
    developer_role: bool = True
    renamed: tuple[tuple[str, str], ...] = ()
    refused: frozenset[str] = frozenset()
    verbatim: bool = False
    reasoning_apart: bool = False
    none_strings: bool = False
    cumulative_chunks: bool = False


def _key_env(*names: str) -> tuple[str, ...]:
    """The vendor's own variables, then the gateway's spelling of the first."""
    return (*names, f"PROXY_API_{names[0]}")


VENDORS = (
    Vendor(
        "openai",
        "https://api.openai.com/v1",
        _key_env("OPENAI_API_KEY"),
        models=(
            "gpt-*",
            "chatgpt-*",
            "o1*",
            "o3*",
            "o4*",
            "text-embedding-*",
            "dall-e-*",
            "davinci-002",
            "babbage-002",
        ),
        operations=_ALL,
        verbatim=True,
    ),
    Vendor("openai_compatible", None, (), needs_key=False, operations=_ALL, verbatim=True),
    Vendor("azure_openai", None, _key_env("AZURE_OPENAI_API_KEY"), operations=_ALL),
    Vendor(
        "openrouter",
        "https://openrouter.ai/api/v1",
        _key_env("OPENROUTER_API_KEY"),
        models=("openrouter/*",),
        operations=_CHAT_TEXT_EMBEDDINGS,
        stream_usage=False,
    ),
    Vendor(
        "perplexity",
        "https://api.perplexity.ai",
        _key_env("PERPLEXITY_API_KEY"),
        models=("sonar*",),
        stream_usage=False,
        old_max_tokens=True,
        developer_role=False,
        refused=frozenset({"seed", "logit_bias", "stream_options", "user", "store", "metadata", "parallel_tool_calls"}),
        cumulative_chunks=True,
    ),
    Vendor(
        "grok",
        "https://api.x.ai/v1",
        _key_env("XAI_API_KEY", "GROK_API_KEY"),
        models=("grok-*",),
        aliases=("xai",),
        operations=_ALL,
        refused=frozenset({"logit_bias"}),
        reasoning_apart=True,
    ),
    Vendor(
        "blackbox",
        "https://api.blackbox.ai",
        _key_env("BLACKBOX_API_KEY"),
        models=("blackboxai/*",),
        operations=_CHAT | {Operation.IMAGES},
        old_max_tokens=True,
        refused=frozenset({"parallel_tool_calls"}),
        none_strings=True,
    ),
    Vendor(
        "mistral",
        "https://api.mistral.ai/v1",
        _key_env("MISTRAL_API_KEY"),
        models=("mistral-*", "magistral-*", "ministral-*", "codestral-*", "devstral-*", "pixtral-*"),
        operations=_CHAT | {Operation.EMBEDDINGS},
        stream_usage=False,
        old_max_tokens=True,
        developer_role=False,
        renamed=(("seed", "random_seed"), ("dimensions", "output_dimension")),
        refused=frozenset(
            {
                "stream_options",
                "user",
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "store",
                "service_tier",
                "verbosity",
                "safety_identifier",
                "prompt_cache_retention",
                "modalities",
            }
        ),
    ),
    Vendor(
        "groq",
        "https://api.groq.com/openai/v1",
        _key_env("GROQ_API_KEY"),
        models=("groq/*",),
        operations=_CHAT | {Operation.EMBEDDINGS},
        refused=frozenset({"logprobs", "top_logprobs", "logit_bias", "store", "metadata"}),
    ),
    Vendor(
        "deepseek",
        "https://api.deepseek.com",
        _key_env("DEEPSEEK_API_KEY"),
        models=("deepseek-*",),
        old_max_tokens=True,
        developer_role=False,
        renamed=(("user", "user_id"),),
    ),
    Vendor(
        "ollama",
        "http://127.0.0.1:11434/v1",
        (),
        needs_key=False,
        operations=_CHAT_TEXT_EMBEDDINGS,
        developer_role=False,
    ),
    Vendor("vllm", "http://127.0.0.1:8000/v1", (), needs_key=False, operations=_CHAT_TEXT_EMBEDDINGS, verbatim=True),
    # Gemini and Cohere offer OpenAI's dialect beside their own; Bedrock does not.
)

UNBUILT = ("bedrock", "gemini")
"""Types that a configuration may name and that no file here speaks yet."""
