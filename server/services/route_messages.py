"""A route as the contract tells it."""

from server.caller import Caller
from server.dispatch.explain import Step, explain
from server.providers.base import Operation
from server.runtime import Runtime
from server.services.times import duration_to_ms
from server.tenancy.allowances import may_use_provider
from trunkline.v1 import models_service_pb2
from trunkline.v1.models_service_pb2 import ExplainRouteResponse, RouteStep

_OPERATIONS = {
    models_service_pb2.OPERATION_UNSPECIFIED: Operation.CHAT,
    models_service_pb2.OPERATION_CHAT: Operation.CHAT,
    models_service_pb2.OPERATION_TEXT: Operation.TEXT,
    models_service_pb2.OPERATION_EMBEDDINGS: Operation.EMBEDDINGS,
    models_service_pb2.OPERATION_IMAGES: Operation.IMAGES,
    models_service_pb2.OPERATION_VIDEOS: Operation.VIDEOS,
}


def explained(runtime: Runtime, model: str, operation: models_service_pb2.Operation, caller: Caller) -> ExplainRouteResponse:
    """Where a caller's request for a model would go; providers that this one may not use are left out.

    Raises:
        GatewayError: as `Router.route`.
    """
    means = runtime.means
    route = means.router.route(model, caller)
    rows = {name: row.settings for name, row in runtime.rows.items() if may_use_provider(caller, name)}
    keyless = frozenset(name for name, row in runtime.rows.items() if row.lacks_key)
    steps = explain(means, rows, keyless, route, _OPERATIONS.get(operation, Operation.CHAT))
    now = means.clock.monotonic()
    return ExplainRouteResponse(
        model=model,
        resolved_model=route.model,
        strategy=means.strategy.name,
        steps=[_step(step, now) for step in steps],
    )


def _step(step: Step, now: float) -> RouteStep:
    told = RouteStep(
        provider=step.settings.name,
        provider_type=step.settings.type,
        model=step.model,
        place=step.place,
        purpose=step.why,
        reason=step.reason,
    )
    if step.target is None:
        return told
    state = step.target.state
    told.requests_in_flight = state.in_flight
    told.failure_share = state.failure_share(now)
    if (ready_in := state.ready_in(now)) > 0:
        told.retry_delay.CopyFrom(duration_to_ms(ready_in))
    if (limit := state.concurrency_limit) is not None:
        told.concurrency_limit = limit
    if (seconds := state.time_to_first_chunk()) is not None:
        told.time_to_first_chunk.CopyFrom(duration_to_ms(seconds))
    return told
