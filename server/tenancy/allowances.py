"""What a key may ask for: models and providers, by patterns in which `*` stands for any letters."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from server.caller import COMPLETION, Caller
from server.errors import GatewayError
from trunkline.v1.error_reason_pb2 import ErrorReason


def may_use(caller: Caller, model: str, resolved_model: str = "") -> bool:
    """Whether a caller may ask for a model.

    Args:
        caller: who asks.
        model: as asked for.
        resolved_model: what it is an alias of. One of both has to be allowed; empty: it is no alias.
    """
    return not caller.models or _matches(caller.models, model) or _matches(caller.models, resolved_model)


def may_use_provider(caller: Caller, provider: str) -> bool:
    """Whether a provider may be asked for a caller."""
    return not caller.providers or _matches(caller.providers, provider)


def require_model(caller: Caller, model: str, resolved_model: str = "") -> None:
    """Refuses a caller who may not ask for a model. As `may_use`.

    Raises:
        GatewayError: INSUFFICIENT_PERMISSIONS.
    """
    if caller.models and not may_use(caller, model, resolved_model):
        raise _refusal(f"This API key may not use the model `{model}`.", model)


def require_fallback(model: str, allowed: Sequence[object]) -> None:
    """Refuses a caller who may ask for a model that has only fallbacks, and for none of these.

    Raises:
        GatewayError: INSUFFICIENT_PERMISSIONS.
    """
    if not allowed:
        raise _refusal(f"This API key may use none of the fallbacks of the model `{model}`.", model)


def require_provider(caller: Caller, model: str, providers: Sequence[str]) -> None:
    """Refuses a caller for whom none of a model's providers may be asked.

    Raises:
        GatewayError: INSUFFICIENT_PERMISSIONS.
    """
    if caller.providers and not any(may_use_provider(caller, provider) for provider in providers):
        raise _refusal(f"This API key may not use any provider of the model `{model}`.", model)


def _refusal(message: str, model: str) -> GatewayError:
    return GatewayError(
        ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS, message, metadata={"permission": COMPLETION, "model": model}
    )


def _matches(patterns: Sequence[str], name: str) -> bool:
    return bool(name) and any(fnmatchcase(name, pattern) for pattern in patterns)
