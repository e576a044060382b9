"""What failed attempts mean for the call: one error, with all of them in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import orjson

from server.dispatch.router import Target
from server.errors import GatewayError
from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.telemetry.redaction import cut_at_word
from trunkline.v1.error_reason_pb2 import ErrorReason

_REASONS = {
    Fault.INVALID_REQUEST: ErrorReason.ERROR_REASON_INVALID_REQUEST,
    Fault.CONTEXT_LENGTH: ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
    Fault.CONTENT_FILTER: ErrorReason.ERROR_REASON_CONTENT_FILTERED,
    Fault.UNSUPPORTED: ErrorReason.ERROR_REASON_INVALID_REQUEST,
    Fault.MODEL_NOT_FOUND: ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
    Fault.RATE_LIMITED: ErrorReason.ERROR_REASON_RATE_LIMITED,
    Fault.PROTOCOL: ErrorReason.ERROR_REASON_PROVIDER_ERROR,
}
"""What the caller is told when every attempt failed alike; PROVIDERS_UNAVAILABLE for the rest."""

_BUSY = frozenset({Fault.RATE_LIMITED, Fault.OVERLOADED})
_BUSY_S = 1.0
"""When to come back to providers that were too busy and did not say when."""

_LARGEST_ERRORS = 2000
_LONGEST_TEXTS = (1000, 300, 150, 75)
"""For how the attempts failed: the whole in bytes, and each text, of which the longest that fit are taken."""

_OPERATION_NAMES = {
    "chat": "chat completions",
    "text": "text completions",
    "embeddings": "embeddings",
    "images": "image generation",
    "videos": "video generation",
}


def operation_name(operation: Operation) -> str:
    """What a sentence calls an operation."""
    return _OPERATION_NAMES[operation]


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed, and after how many seconds."""

    target: Target
    error: ProviderError
    latency_s: float = 0.0


def able(targets: Sequence[Target], ask: Ask, model: str) -> list[Target]:
    """The targets whose provider has the operation.

    Raises:
        GatewayError: NOT_IMPLEMENTED when none has.
    """
    chosen = [target for target in targets if ask.operation in target.provider.operations]
    if not chosen:
        raise GatewayError(
            ErrorReason.ERROR_REASON_NOT_IMPLEMENTED,
            f"No provider of the model `{model}` has {operation_name(ask.operation)}.",
            metadata={"operation": ask.operation.value, "model": model},
        )
    return chosen


def failed(failures: Sequence[Failure], model: str) -> GatewayError:
    """What the caller is told when no attempt is left: the one reason that all had, else PROVIDERS_UNAVAILABLE."""
    last = failures[-1]
    faults = {failure.error.fault for failure in failures}
    metadata = {
        "model": model,
        "provider": last.target.settings.name,
        "attempts": str(len(failures)),
        "providers_tried": ",".join(dict.fromkeys(failure.target.settings.name for failure in failures)),
        "errors": _errors(failures),
    }
    waits = [failure.error.retry_after_s for failure in failures if failure.error.retry_after_s is not None]
    retry_after_s = min(waits, default=_BUSY_S if last.error.fault in _BUSY else None)
    reason = ErrorReason.ERROR_REASON_PROVIDERS_UNAVAILABLE
    if len(faults) == 1 or not last.error.fault.elsewhere:
        reason = _REASONS.get(last.error.fault, reason)
    if reason is ErrorReason.ERROR_REASON_PROVIDERS_UNAVAILABLE:
        return GatewayError(
            reason, f"No provider of the model `{model}` could answer: {last.error.message}", metadata, retry_after_s
        )
    fields: tuple[tuple[str, str], ...] = ()
    if last.error.param:
        metadata["param"] = last.error.param
        fields = ((last.error.param, last.error.message),)
    elif reason is ErrorReason.ERROR_REASON_MODEL_NOT_FOUND:
        metadata["param"] = "model"
    return GatewayError(reason, last.error.message, metadata, retry_after_s, fields)


def _errors(failures: Sequence[Failure]) -> str:
    """How each attempt failed, as JSON that a status has room for: with shorter texts, then without those in the midst."""
    for longest in _LONGEST_TEXTS:
        told = [_told(failure, longest) for failure in failures]
        errors = orjson.dumps(told)
        if len(errors) <= _LARGEST_ERRORS:
            break
    while len(errors) > _LARGEST_ERRORS and len(told) > 2:
        del told[len(told) // 2]
        errors = orjson.dumps(told)
    return errors.decode()


def _told(failure: Failure, longest: int) -> dict[str, str]:
    error = failure.error
    message = cut_at_word(error.message, longest)
    told = {"provider": failure.target.settings.name, "error_type": error.fault.error_type, "message": message}
    return {**told, "failed_generation": cut_at_word(error.failed_generation, longest)} if error.failed_generation else told


def broken(target: Target, error: ProviderError) -> GatewayError:
    """What the caller is told when a stream broke off after its first batch."""
    metadata = {"provider": target.settings.name}
    if error.failed_generation:
        metadata["failed_generation"] = error.failed_generation
    return GatewayError(
        ErrorReason.ERROR_REASON_PROVIDER_ERROR,
        f"The answer broke off: {error.message}",
        metadata=metadata,
        code=grpc.StatusCode.UNAVAILABLE,
    )
