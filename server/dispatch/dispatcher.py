"""The hot path's centre: choose the targets, try one after the other until one begins to answer, hand its answer on."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from server.call import Call
from server.dispatch.attempt import Failure, able, attempt, broken, failed
from server.dispatch.router import Router, Target
from server.errors import GatewayError
from server.interceptors.request_id import KEY as REQUEST_ID
from server.providers.base import Ask, Batch
from server.providers.errors import Fault, ProviderError
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.completion_service_pb2 import (
    CreateEmbeddingsResponse,
    StreamChatCompletionResponse,
    StreamTextCompletionResponse,
)
from trunkline.v1.error_reason_pb2 import ErrorReason

_NO_TIME_S = 0.01
"""Less than this before the deadline it has passed: an attempt gets what is left, and its end may be noticed first."""


class Dispatcher:
    """Answers requests by asking providers.

    Args:
        router: from models to targets.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    async def stream(self, ask: Ask, call: Call) -> AsyncGenerator[Batch, None]:
        """Answers a request. Another target is asked only before the first batch; the initial metadata goes out with it.

        Yields:
            The batches of the provider that answers; see `Provider.stream`.

        Raises:
            GatewayError: see `CompletionService` in the contract.
        """
        model = ask.model
        call.notes["model"] = model
        failures: list[Failure] = []
        for target in able(self._router.targets(model), ask, model):
            begun = False
            try:
                async with aclosing(attempt(target, ask, call.context.time_remaining())) as batches:
                    async for batch in batches:
                        if not begun:
                            begun = True
                            await _begin(call, target, len(failures) + 1)
                        _note_usage(call, batch)
                        yield batch
                if not begun:
                    raise ProviderError(Fault.PROTOCOL, "The provider's answer is empty.")
                return
            except ProviderError as error:
                if not begun:
                    failures.append(Failure(target, error))
                    _note_failure(call, target, failures)
                time_left_s = call.context.time_remaining()
                if time_left_s is not None and time_left_s < _NO_TIME_S:
                    end = "the answer's end" if begun else "a provider answered"
                    raise GatewayError(
                        ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, f"The deadline passed before {end}."
                    ) from error
                if begun:
                    raise broken(target, error) from error
                if not error.fault.elsewhere:
                    break
        raise failed(failures, model) from failures[-1].error


async def _begin(call: Call, target: Target, attempts: int) -> None:
    """The commit barrier: says who answers, and from here on nobody else will."""
    origin = (("trunkline-provider", target.settings.name), ("trunkline-attempts", str(attempts)))
    await call.context.send_initial_metadata(((REQUEST_ID, call.request_id), *origin))
    call.trailers.extend((*origin, ("trunkline-model", target.model)))
    call.notes["provider"] = target.settings.name
    call.notes["attempts"] = attempts


def _note_usage(call: Call, batch: Batch) -> None:
    """Tells trailers and log what the answer used, from the message that brought it."""
    usage = usage_of(batch)
    if usage is None or not (usage.HasField("input_tokens") or usage.HasField("output_tokens")):
        return
    if "input_tokens" in call.notes:  # usage came before: some vendors repeat it as it grows
        call.trailers[:] = [trailer for trailer in call.trailers if not trailer[0].endswith("-tokens")]
    call.notes["input_tokens"] = usage.input_tokens
    call.notes["output_tokens"] = usage.output_tokens
    call.trailers.append(("trunkline-input-tokens", str(usage.input_tokens)))
    call.trailers.append(("trunkline-output-tokens", str(usage.output_tokens)))


def _note_failure(call: Call, target: Target, failures: list[Failure]) -> None:
    """Tells log and trailers of an attempt that failed, whatever comes of the next one."""
    call.notes["provider"] = target.settings.name
    call.notes["attempts"] = len(failures)
    call.notes["failures"] = [f"{failure.target.settings.name}: {failure.error.fault.error_type}" for failure in failures]


def usage_of(batch: Batch) -> Usage | None:
    """The usage that a batch brought; None where it brought none."""
    match batch:
        case StreamChatCompletionResponse() | StreamTextCompletionResponse():
            return batch.usage if batch.HasField("usage") else None
        case CreateEmbeddingsResponse():
            return batch.embeddings.usage if batch.embeddings.HasField("usage") else None
        case _:
            return None
