"""What counts as used when a stream broke: a policy that each provider's row declares, `broken_stream_billing`."""

from enum import StrEnum

from server.ledger.estimate import text_tokens
from trunkline.v1.chat_pb2 import Usage


class Billing(StrEnum):
    """The policies."""

    ESTIMATE = "estimate"
    """What was told so far is paid for, by an estimate of its tokens."""
    READ_TO_END = "read_to_end"
    """The provider generates and charges to the end whoever listens: its answer is read on, for the usage at its end."""
    NONE = "none"
    """The provider charges nothing."""


def broken_usage(policy: Billing, usage: Usage | None, told_bytes: int, input_tokens: int) -> tuple[Usage | None, bool]:
    """The usage of a broken stream, and whether it is exact.

    Args:
        policy: the provider's.
        usage: what the provider told; None: nothing. With READ_TO_END it is what was told at the end, else a count as of
            when the stream broke, which may be behind.
        told_bytes: of the text that came, reasoning and calls of tools included, in UTF-8.
        input_tokens: of the prompt, as estimated before the call.

    Returns:
        With NONE none at all, which is exact: nothing is charged, so no fee of a request either.
    """
    if policy is Billing.NONE:
        return None, True
    if policy is Billing.READ_TO_END and usage is not None:
        return usage, True
    guessed = Usage()
    if usage is not None:
        guessed.CopyFrom(usage)
    if not guessed.HasField("input_tokens"):
        guessed.input_tokens = input_tokens
    if guessed.output_tokens < text_tokens(told_bytes):
        guessed.output_tokens = text_tokens(told_bytes)
        guessed.extra_json = ""  # what was charged until the count was made is behind too
    guessed.total_tokens = guessed.input_tokens + guessed.output_tokens
    return guessed, False
