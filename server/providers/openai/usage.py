"""The usage that a vendor of OpenAI's dialect tells -> a usage that can be relied on.

Numbers that cannot be counts are dropped, parts are never larger than the whole, and the total is the sum.
"""

from server.providers.openai.vendors import Vendor

Json = dict[str, object]

_LARGEST = 2**63 - 1
_DETAILS = {
    "prompt_tokens_details": ("cached_tokens", "cache_write_tokens", "audio_tokens", "text_tokens", "image_tokens"),
    "completion_tokens_details": (
        "reasoning_tokens",
        "audio_tokens",
        "text_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
    ),
}
_CACHED = ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
"""Where DeepSeek, Mistral and others tell of cached tokens beside the usual place."""


def sound_usage(told: object, vendor: Vendor) -> Json | None:
    """The usage with nothing in it but what can be true; None where nothing is left.

    Args:
        told: as the vendor told it; it is not changed.
        vendor: whose it is.
    """
    if not isinstance(told, dict):
        return None
    usage: Json = dict(told)
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if not _counts(usage.get(key)):
            usage.pop(key, None)
    for key, parts in _DETAILS.items():
        _clean_details(usage, key, parts)
    prompt = _count(usage.get("prompt_tokens"))
    completion = _count(usage.get("completion_tokens"))
    if prompt is not None:
        _settle_cached(usage, prompt)
    if completion is not None and vendor.reasoning_apart:
        completion = _with_reasoning(usage, prompt or 0, completion)
    if prompt is not None and (completion is not None or "total_tokens" in usage):
        usage["total_tokens"] = min(prompt + (completion or 0), _LARGEST)
    return usage if prompt is not None or completion is not None or "total_tokens" in usage else None


def _clean_details(usage: Json, key: str, parts: tuple[str, ...]) -> None:
    details = usage.get(key)
    if not isinstance(details, dict):
        usage.pop(key, None)
        return
    usage[key] = {name: part for name, part in details.items() if name not in parts or part is None or _counts(part)}


def _settle_cached(usage: Json, prompt: int) -> None:
    """Puts the cached tokens in their usual place, and never more than there were. xAI has told of more (2026-11)."""
    given = usage.get("prompt_tokens_details")
    details: Json = dict(given) if isinstance(given, dict) else {}
    cached = _count(details.get("cached_tokens"))
    for key in _CACHED:
        if cached is None:
            cached = _count(usage.get(key))
    if cached is not None:
        usage["prompt_tokens_details"] = {**details, "cached_tokens": min(cached, prompt)}


def _with_reasoning(usage: Json, prompt: int, completion: int) -> int:
    """The output with the reasoning in it, unless the total tells that it was."""
    details = usage.get("completion_tokens_details")
    reasoning = _count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    if reasoning and usage.get("total_tokens") != prompt + completion:
        completion = min(completion + reasoning, _LARGEST)
        usage["completion_tokens"] = completion
    return completion


def _counts(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST else None
