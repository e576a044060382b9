"""What to say of a call that failed: its reason, its text, and what may help."""

from collections.abc import Mapping

import grpc

from trunkline_client import TrunklineError

_ANOTHER_KEY = "give a key with --api-key or TRUNKLINE_API_KEY"
_HINTS: Mapping[str | grpc.StatusCode, str] = {
    # A reason comes before a code.
    "model_not_found": "`trunkline models` lists what can be asked for",
    "invalid_api_key": _ANOTHER_KEY,
    "insufficient_permissions": "this needs a key that may do more",
    "context_length_exceeded": "ask with less text",
    "quota_exceeded": "the quota has to be raised, or to begin anew",
    "budget_exceeded": "the budget has to be raised, or to begin anew",
    "rate_limited": "try again later",
    "overloaded": "try again later",
    "providers_unavailable": "`trunkline check` tells whether keys are missing where the gateway runs",
    "deadline_exceeded": "--timeout allows more time",
    "internal": "the gateway's log says more",
    grpc.StatusCode.UNAUTHENTICATED: _ANOTHER_KEY,
    grpc.StatusCode.DEADLINE_EXCEEDED: "--timeout allows more time",
    grpc.StatusCode.UNIMPLEMENTED: "what answers at {target} is no trunkline gateway, or an older one",
    grpc.StatusCode.UNAVAILABLE: "is a gateway running at {target}? `trunkline serve` starts one, --target names another",
}


def explain(error: TrunklineError, target: str) -> str:
    """One line: `reason: text (request ID). Hint: what may help.`"""
    hint = _HINTS.get(error.code if error.reason == "unspecified" else error.reason)
    if error.retry_after_s is not None:
        hint = f"try again in {error.retry_after_s:g} s"
    reason = error.code.name if error.reason == "unspecified" else error.reason
    request = f" (request {error.request_id})" if error.request_id else ""
    text = f"{reason}: {error.message.rstrip('. ')}{request}."
    return f"{text} Hint: {hint.format(target=target)}." if hint else text
