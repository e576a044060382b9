"""The vendors that speak OpenAI's dialect: a row each, with where they are and what they want otherwise.

Adding one is adding a row. Source of every row: the vendor's API reference, read in 2026-11.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from server.providers.base import Operation
from server.providers.openai.listing import Listing

_CHAT = frozenset({Operation.CHAT})
_CHAT_TEXT = _CHAT | {Operation.TEXT}
_CHAT_TEXT_EMBEDDINGS = _CHAT_TEXT | {Operation.EMBEDDINGS}
_ALL = _CHAT_TEXT_EMBEDDINGS | {Operation.IMAGES}
_PLAIN_LISTING = Listing()
_MEDIA = frozenset({Operation.IMAGES, Operation.VIDEOS})


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
        refused: request keys that it refuses from every model; see capabilities.py for what single models refuse.
        verbatim: whether its chunks may be handed on as they are.
        reasoning_apart: whether its `completion_tokens` leave out the reasoning.
        none_strings: whether it writes absent values as the string "None".
        cumulative_chunks: whether chunks repeat usage and the text so far.
        listing: where its list of models is, and what it tells; None: it has none of what it serves here.
        health: the path that tells most cheaply that it would answer; from the address' root where it begins with `/`.
            Empty: nothing free tells.
        unhealthy: fields of that answer, and the value with which they say that it would not.
        spent: numbers in that answer with which it would not answer either, once nothing of them is left.
        key_header: the header of its key, where that is not a bearer token.
        reasoning_key: the key under which it takes an assistant's reasoning back; empty: it takes none; None: any.
        reasoning_details: whether it wants its own form of an assistant's reasoning back, too.
        thinking_parts: whether reasoning comes, and goes back, as parts of the content.
        think_tags: whether reasoning comes within the content, between `<think>` and `</think>`.
        citations: whether answers come with lists of sources.
        alternating: whether user and assistant must take turns.
        names: whether messages may carry a name.
        tool_order: whether an assistant must speak between a tool and a user.
        call_id: how long a tool call's id must be, letters and digits alone; 0: any.
        message_keys: by role, the keys that it allows in a message; empty: any.
        formats: what it takes as the answer's form.
        trusts_stop: whether `stop` holds although tools were called; a row's setting.
        needs_reasoning_back: whether it refuses a call of tools that comes back without its reasoning, unless told not to
            think.
        single_choice: whether it makes one choice only.
        continuation: how it is told to go on from the beginning of an answer.
        no_continuation: the beginnings of names of models that do not.
        echoes_prefix: whether its answer then begins with that beginning.
        media_by_chat: what it draws and films through its chat completions.
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
    listing: Listing | None = _PLAIN_LISTING
    health: str = "models"
    unhealthy: tuple[tuple[str, object], ...] = ()
    spent: tuple[str, ...] = ()
    key_header: str = ""
    reasoning_key: str | None = None
    reasoning_details: bool = False
    thinking_parts: bool = False
    think_tags: bool = False
    citations: bool = False
    alternating: bool = False
    names: bool = True
    tool_order: bool = False
    call_id: int = 0
    message_keys: tuple[tuple[str, frozenset[str]], ...] = ()
    formats: frozenset[str] = frozenset({"json_object", "json_schema"})
    trusts_stop: bool = False
    needs_reasoning_back: bool = False
    single_choice: bool = False
    continuation: Literal["", "prefix", "final_message"] = ""
    no_continuation: tuple[str, ...] = ()
    echoes_prefix: bool = False
    media_by_chat: frozenset[Operation] = frozenset()

    @property
    def unread(self) -> bool:
        """Whether its chunks may be handed on without being read."""
        return self.verbatim and not self.trusts_stop


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
        reasoning_key="",
    ),
    Vendor(
        "openai_compatible",
        None,
        (),
        needs_key=False,
        operations=_ALL,
        verbatim=True,
        listing=Listing(
            context_window=("context_length", "max_model_len", "context_window", "max_context_length", "max_input_tokens"),
            max_output_tokens=("max_completion_tokens", "max_output_tokens", "top_provider.max_completion_tokens"),
        ),
    ),
    Vendor(
        "azure_openai",
        None,
        _key_env("AZURE_OPENAI_API_KEY"),
        operations=_ALL,
        key_header="api-key",
        reasoning_key="",
        listing=Listing(
            capabilities=(
                ("capabilities.chat_completion", True, "chat"),
                ("capabilities.completion", True, "text"),
                ("capabilities.embeddings", True, "embeddings"),
            )
        ),
    ),
    Vendor(
        "openrouter",
        "https://openrouter.ai/api/v1",
        _key_env("OPENROUTER_API_KEY"),
        models=("openrouter/*",),
        operations=_CHAT_TEXT_EMBEDDINGS,
        stream_usage=False,
        reasoning_key="reasoning",
        reasoning_details=True,
        health="key",
        spent=("data.limit_remaining",),  # null where the key has no limit
        listing=Listing(
            context_window=("top_provider.context_length", "context_length"),
            max_output_tokens=("top_provider.max_completion_tokens",),
            input_price="pricing.prompt",
            output_price="pricing.completion",
            price_factor=Decimal(1_000_000),  # dollars for one token
            capabilities=(
                ("architecture.output_modalities", "text", "chat"),
                ("architecture.output_modalities", "embeddings", "embeddings"),
                ("architecture.output_modalities", "image", "images"),
                ("architecture.input_modalities", "image", "vision"),
                ("supported_parameters", "tools", "tools"),
                ("supported_parameters", "reasoning", "reasoning"),
                ("supported_parameters", "structured_outputs", "json_schema"),
            ),
        ),
    ),
    Vendor(
        "perplexity",
        "https://api.perplexity.ai",
        _key_env("PERPLEXITY_API_KEY"),
        models=("sonar*",),
        stream_usage=False,
        old_max_tokens=True,
        developer_role=False,
        refused=frozenset(
            {
                "seed",
                "logit_bias",
                "stream_options",
                "user",
                "store",
                "metadata",
                "parallel_tool_calls",
                "service_tier",
                "verbosity",
                "safety_identifier",
                "prompt_cache_key",
                "prompt_cache_retention",
                "modalities",
                "audio",
                "prediction",
            }
        ),
        cumulative_chunks=True,
        listing=None,  # its list, which needs no key, names the models of another endpoint
        health="",
        reasoning_key="",
        think_tags=True,
        citations=True,
        alternating=True,
        names=False,
        formats=frozenset({"json_schema"}),
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
        reasoning_key="reasoning_content",
        health="api-key",
        unhealthy=(("api_key_blocked", True), ("api_key_disabled", True), ("team_blocked", True)),
        listing=Listing(
            context_window=("context_length",),
            input_price="prompt_text_token_price",
            output_price="completion_text_token_price",
            price_factor=Decimal("0.0001"),  # cents for 100 million tokens
        ),
    ),
    Vendor(
        "blackbox",
        "https://api.blackbox.ai",
        _key_env("BLACKBOX_API_KEY"),
        models=("blackboxai/*",),
        operations=_CHAT | _MEDIA,
        old_max_tokens=True,
        refused=frozenset({"parallel_tool_calls"}),
        none_strings=True,
        media_by_chat=_MEDIA,
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
                "audio",
                "web_search_options",
            }
        ),
        thinking_parts=True,
        reasoning_key="",
        tool_order=True,
        call_id=9,
        message_keys=(
            ("system", frozenset({"role", "content"})),
            ("user", frozenset({"role", "content"})),
            ("assistant", frozenset({"role", "content", "tool_calls", "prefix"})),
            ("tool", frozenset({"role", "content", "tool_call_id", "name"})),
        ),
        continuation="prefix",
        no_continuation=("magistral",),
        echoes_prefix=True,
        listing=Listing(
            context_window=("max_context_length",),
            capabilities=(
                ("capabilities.completion_chat", True, "chat"),
                ("capabilities.function_calling", True, "tools"),
                ("capabilities.vision", True, "vision"),
                ("capabilities.reasoning", True, "reasoning"),
            ),
        ),
    ),
    Vendor(
        "groq",
        "https://api.groq.com/openai/v1",
        _key_env("GROQ_API_KEY"),
        models=("groq/*",),
        operations=_CHAT | {Operation.EMBEDDINGS},
        refused=frozenset({"logprobs", "top_logprobs", "logit_bias", "store", "metadata"}),
        reasoning_key="reasoning",
        names=False,
        single_choice=True,
        listing=Listing(
            context_window=("context_window",), max_output_tokens=("max_completion_tokens",), hidden=("active",)
        ),
    ),
    Vendor(
        "deepseek",
        "https://api.deepseek.com",
        _key_env("DEEPSEEK_API_KEY"),
        models=("deepseek-*",),
        old_max_tokens=True,
        developer_role=False,
        renamed=(("user", "user_id"),),
        reasoning_key="reasoning_content",
        needs_reasoning_back=True,
        formats=frozenset({"json_object"}),
        single_choice=True,
        health="/user/balance",
        unhealthy=(("is_available", False),),
    ),
    Vendor(
        "vllm",
        "http://127.0.0.1:8000/v1",
        (),
        needs_key=False,
        operations=_CHAT_TEXT_EMBEDDINGS,
        verbatim=True,
        health="/health",
        continuation="final_message",
        listing=Listing(context_window=("max_model_len",)),
    ),
    # Gemini, Cohere and Ollama offer OpenAI's dialect beside their own; Bedrock does not.
)
