"""Gemini's answer as it is on the wire: the same object whole and as an event of a stream.

Source: https://ai.google.dev/api/generate-content (2026-11). Fields that nothing here reads are left out; what a code
execution of the vendor's ran and said has no place in the contract.
"""

import msgspec

from server.providers.gemini.errors import error_in
from server.providers.refusals import ended_in_error
from server.providers.wire import Count, decoded
from trunkline.v1.chat_pb2 import InputTokensDetails, OutputTokensDetails, Usage


class WireBlob(msgspec.Struct, rename="camel"):
    """Media within the answer: its type, and its bytes as base64."""

    mime_type: str = ""
    data: str = ""


class WireCall(msgspec.Struct):
    """A call of a function; older models give it no id."""

    name: str
    id: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


class WirePart(msgspec.Struct, rename="camel"):
    """A part of the content, of any kind."""

    text: str = ""
    thought: bool = False
    thought_signature: str = ""
    function_call: WireCall | None = None
    inline_data: WireBlob | None = None


class WireContent(msgspec.Struct):
    """What one candidate says."""

    parts: list[WirePart] = []


class WireLogprob(msgspec.Struct, rename="camel"):
    """A token and its log probability."""

    token: str = ""
    log_probability: float = 0.0


class WireTop(msgspec.Struct):
    """The likeliest tokens at one place."""

    candidates: list[WireLogprob] = []


class WireLogprobs(msgspec.Struct, rename="camel"):
    """The chosen tokens, and at the same places the likeliest ones."""

    chosen_candidates: list[WireLogprob] = []
    top_candidates: list[WireTop] = []


class WireCandidate(msgspec.Struct, rename="camel"):
    """One choice, or a piece of it."""

    index: Count = 0
    content: WireContent | None = None
    finish_reason: str | None = None
    finish_message: str = ""
    logprobs_result: WireLogprobs | None = None
    grounding_metadata: dict[str, object] | None = None
    citation_metadata: dict[str, object] | None = None
    url_context_metadata: dict[str, object] | None = None


class WireFeedback(msgspec.Struct, rename="camel"):
    """What the vendor thinks of the prompt."""

    block_reason: str | None = None
    block_reason_message: str = ""


class _TokensOf(msgspec.Struct, rename="camel"):
    modality: str = ""
    token_count: Count = 0


class WireUsage(msgspec.Struct, rename="camel"):
    """Usage as the vendor counts: thoughts and the prompts of its own tools beside the rest, all from the beginning on."""

    prompt_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    prompt_tokens_details: list[_TokensOf] | None = None
    candidates_tokens_details: list[_TokensOf] | None = None

    def typed(self) -> Usage:
        """The usage as the contract counts: thoughts are output."""
        input_tokens = (self.prompt_token_count or 0) + (self.tool_use_prompt_token_count or 0)
        output_tokens = (self.candidates_token_count or 0) + (self.thoughts_token_count or 0)
        asked, said = _by_modality(self.prompt_tokens_details), _by_modality(self.candidates_tokens_details)
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            total_tokens=input_tokens + output_tokens,
            input_tokens_details=InputTokensDetails(
                cached_tokens=self.cached_content_token_count or 0,
                audio_tokens=asked.get("AUDIO"),
                text_tokens=asked.get("TEXT"),
                image_tokens=asked.get("IMAGE"),
            ),
        )
        if self.thoughts_token_count is not None or said:
            details = OutputTokensDetails(
                reasoning_tokens=self.thoughts_token_count, audio_tokens=said.get("AUDIO"), text_tokens=said.get("TEXT")
            )
            usage.output_tokens_details.CopyFrom(details)
        return usage


def _by_modality(details: list[_TokensOf] | None) -> dict[str, int]:
    return {tokens.modality: tokens.token_count for tokens in details or ()}


class WireAnswer(msgspec.Struct, rename="camel"):
    """The whole answer, or an event of it."""

    candidates: list[WireCandidate] = []
    prompt_feedback: WireFeedback | None = None
    usage_metadata: WireUsage | None = None
    model_version: str = ""
    response_id: str = ""
    error: dict[str, object] | None = None

    @property
    def blocked(self) -> WireFeedback | None:
        """Why nothing is said to the prompt; None where something is."""
        feedback = self.prompt_feedback
        return feedback if feedback is not None and feedback.block_reason and not self.candidates else None


_ANSWER = msgspec.json.Decoder(WireAnswer)


def read_answer(data: bytes, what: str) -> WireAnswer:
    """Reads an answer, or an event of one.

    Args:
        data: JSON.
        what: what it is called in an error's message.

    Raises:
        ProviderError: PROTOCOL when it is none; whatever it says, when it is an error.
    """
    answer = decoded(_ANSWER, data, error_in, f"The provider's {what} makes no sense.")
    if answer.error is not None:
        raise error_in(data) or ended_in_error()
    return answer
