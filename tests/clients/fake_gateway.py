"""A gateway for clients to speak to: real gRPC over real sockets, with answers that the asked-for model's name decides.

`echo` gives the last message back, word by word; `silent` never answers; `endless` streams one word and no more; `broken`
streams one word and fails; `burst` streams a hundred words at once and fails; `mended` streams one word, and another one
provides the end; any other name has no route. `failures` come first, whatever the model.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message as ProtoMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.clients.fake_tenancy import Tenancy
from trunkline.v1 import (
    admin_service_pb2 as admin,
)
from trunkline.v1 import (
    admin_service_pb2_grpc,
    alerts_service_pb2_grpc,
    completion_service_pb2_grpc,
    metrics_service_pb2_grpc,
    models_service_pb2_grpc,
)
from trunkline.v1 import (
    alerts_service_pb2 as alerts,
)
from trunkline.v1 import (
    completion_service_pb2 as completion,
)
from trunkline.v1 import (
    metrics_service_pb2 as metrics,
)
from trunkline.v1 import (
    models_service_pb2 as models,
)
from trunkline.v1.chat_pb2 import ChatChoice, ChatChunkChoice, ChatCompletion, ChatCompletionChunk, Message, Usage
from trunkline.v1.completion_record_pb2 import CompletionRecord
from trunkline.v1.text_pb2 import (
    Embedding,
    EmbeddingList,
    Image,
    ImageList,
    TextChoice,
    TextCompletion,
    Video,
    VideoList,
)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

TOLD = (("x-request-id", "req-1"), ("trunkline-provider", "echo"), ("trunkline-attempts", "1"))
TOLD_AT_LAST = (
    ("x-request-id", "req-1"),
    ("trunkline-provider", "second"),
    ("trunkline-attempts", "2"),
    ("trunkline-recovered-at", "4"),
)
MODELS = (("echo", "echo"), ("gpt-5", "openai"))


@dataclass(frozen=True, slots=True)
class Failure:
    """How one call fails; `garbled` takes the place of the details where it is given."""

    code: grpc.StatusCode
    message: str = ""
    details: tuple[ProtoMessage, ...] = ()
    trailers: tuple[tuple[str, str | bytes], ...] = ()
    garbled: bytes = b""


@dataclass(frozen=True, slots=True)
class SeenCall:
    """What a call brought along."""

    method: str
    request: ProtoMessage
    metadata: dict[str, str | bytes]
    time_remaining_s: float


@dataclass(slots=True)
class Script:
    """What the gateway is to do, what it saw, and which calls it is busy with."""

    failures: list[Failure] = field(default_factory=list)
    calls: list[SeenCall] = field(default_factory=list)
    running: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    page_size: int = 1

    @asynccontextmanager
    async def call(self, method: str, request: ProtoMessage, context: Context) -> AsyncIterator[None]:
        """Takes down the call, fails it if that is due, and knows when it is over."""
        metadata = dict(context.invocation_metadata() or ())
        self.calls.append(SeenCall(method, request, metadata, context.time_remaining()))
        self.running += 1
        self.idle.clear()
        try:
            if self.failures:
                await fail(context, self.failures.pop(0))
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()


def error_info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    """The detail that names a reason."""
    return error_details_pb2.ErrorInfo(reason=reason, domain="trunkline", metadata=metadata)


def retry_info(delay_s: float) -> error_details_pb2.RetryInfo:
    """The detail that says when to come back."""
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(delay_s * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


async def fail(context: Context, failure: Failure) -> NoReturn:
    """Ends a call with a status."""
    if failure.details:
        packed = [any_pb2.Any() for _ in failure.details]
        for target, detail in zip(packed, failure.details, strict=True):
            target.Pack(detail)
        status = status_pb2.Status(code=failure.code.value[0], message=failure.message, details=packed)
        await context.abort_with_status(rpc_status.to_status(status))
    garbled = (("grpc-status-details-bin", failure.garbled),) if failure.garbled else ()
    await context.abort(failure.code, failure.message, (*failure.trailers, *garbled))


async def no_such_model(context: Context, name: str) -> NoReturn:
    """Ends a call as the gateway does where no route leads to the model."""
    info = error_info("MODEL_NOT_FOUND", model=name, request_id="req-1")
    await fail(context, Failure(grpc.StatusCode.NOT_FOUND, f"No route leads to the model {name!r}.", (info,)))


def words(text: str) -> list[str]:
    """The text's words, each but the first with its space."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


class Completions(completion_service_pb2_grpc.CompletionServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def CreateChatCompletion(
        self, request: completion.CreateChatCompletionRequest, context: Context
    ) -> completion.CreateChatCompletionResponse:
        async with self._script.call("CreateChatCompletion", request, context):
            if request.chat.model == "silent":
                await asyncio.Event().wait()
            if request.chat.model != "echo":
                await no_such_model(context, request.chat.model)
            await context.send_initial_metadata(TOLD)
            choice = ChatChoice(index=0, message=Message(role="assistant", content=request.chat.messages[-1].content))
            return completion.CreateChatCompletionResponse(
                completion=ChatCompletion(id="c-1", model="echo", choices=[choice], usage=Usage(total_tokens=2))
            )

    async def StreamChatCompletion(
        self, request: completion.StreamChatCompletionRequest, context: Context
    ) -> AsyncIterator[completion.StreamChatCompletionResponse]:
        model = request.chat.model
        async with self._script.call("StreamChatCompletion", request, context):
            if model not in {"echo", "endless", "broken", "burst", "mended"}:
                await no_such_model(context, model)
            await context.send_initial_metadata(TOLD)
            text = {"echo": request.chat.messages[-1].content, "burst": " ".join(["word"] * 100)}.get(model, "word")
            for word in words(text):
                yield _chunk(word, request.answer_format)
            if model == "endless":
                await asyncio.Event().wait()
            if model in {"broken", "burst"}:
                info = error_info("PROVIDER_ERROR", provider="echo")
                await fail(context, Failure(grpc.StatusCode.UNAVAILABLE, "The stream broke off.", (info,)))
            context.set_trailing_metadata(TOLD_AT_LAST if model == "mended" else (("trunkline-model", "echo-1"),))

    async def CreateTextCompletion(
        self, request: completion.CreateTextCompletionRequest, context: Context
    ) -> completion.CreateTextCompletionResponse:
        async with self._script.call("CreateTextCompletion", request, context):
            await context.send_initial_metadata(TOLD)
            return completion.CreateTextCompletionResponse(completion=_text(request.text.prompt.text))

    async def StreamTextCompletion(
        self, request: completion.StreamTextCompletionRequest, context: Context
    ) -> AsyncIterator[completion.StreamTextCompletionResponse]:
        async with self._script.call("StreamTextCompletion", request, context):
            await context.send_initial_metadata(TOLD)
            for word in words(request.text.prompt.text):
                yield completion.StreamTextCompletionResponse(chunks=[_text(word)])

    async def CreateEmbeddings(
        self, request: completion.CreateEmbeddingsRequest, context: Context
    ) -> completion.CreateEmbeddingsResponse:
        async with self._script.call("CreateEmbeddings", request, context):
            await context.send_initial_metadata(TOLD)
            return completion.CreateEmbeddingsResponse(embeddings=EmbeddingList(data=[Embedding(index=0)]))

    async def CreateImages(
        self, request: completion.CreateImagesRequest, context: Context
    ) -> completion.CreateImagesResponse:
        async with self._script.call("CreateImages", request, context):
            await context.send_initial_metadata(TOLD)
            return completion.CreateImagesResponse(images=ImageList(data=[Image(url="https://example.com/1.png")]))

    async def CreateVideos(
        self, request: completion.CreateVideosRequest, context: Context
    ) -> completion.CreateVideosResponse:
        async with self._script.call("CreateVideos", request, context):
            await context.send_initial_metadata(TOLD)
            return completion.CreateVideosResponse(videos=VideoList(data=[Video(url="https://example.com/1.mp4")]))


def _chunk(word: str, answer_format: int) -> completion.StreamChatCompletionResponse:
    if answer_format == completion.ANSWER_FORMAT_JSON:
        return completion.StreamChatCompletionResponse(chunks_json=[word.encode()])
    choice = ChatChunkChoice(index=0, delta=Message(content=word))
    return completion.StreamChatCompletionResponse(chunks=[ChatCompletionChunk(id="c-1", choices=[choice])])


def _text(text: str) -> TextCompletion:
    return TextCompletion(id="t-1", choices=[TextChoice(index=0, text=text)])


class Models(models_service_pb2_grpc.ModelsServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def ListModels(self, request: models.ListModelsRequest, context: Context) -> models.ListModelsResponse:
        async with self._script.call("ListModels", request, context):
            page, token = self._page([_model(*row) for row in MODELS], request.page_token)
            return models.ListModelsResponse(models=page, next_page_token=token)

    async def GetModel(self, request: models.GetModelRequest, context: Context) -> models.GetModelResponse:
        async with self._script.call("GetModel", request, context):
            known = {f"models/{row[0]}": row for row in MODELS}
            if request.name not in known:
                await no_such_model(context, request.name.removeprefix("models/"))
            return models.GetModelResponse(model=_model(*known[request.name]))

    async def ExplainRoute(self, request: models.ExplainRouteRequest, context: Context) -> models.ExplainRouteResponse:
        async with self._script.call("ExplainRoute", request, context):
            step = models.RouteStep(provider="echo", model=request.model, place=1, purpose="model")
            return models.ExplainRouteResponse(
                model=request.model, resolved_model=request.model, strategy="priority", steps=[step]
            )

    async def ListProviderModels(
        self, request: models.ListProviderModelsRequest, context: Context
    ) -> models.ListProviderModelsResponse:
        async with self._script.call("ListProviderModels", request, context):
            rows = [_model(*row) for row in MODELS if f"providers/{row[1]}" == request.parent]
            return models.ListProviderModelsResponse(models=rows, list=models.ModelList(total_size=len(rows)))

    async def GetProviderModel(
        self, request: models.GetProviderModelRequest, context: Context
    ) -> models.GetProviderModelResponse:
        async with self._script.call("GetProviderModel", request, context):
            known = {f"providers/{row[1]}/models/{row[0]}": row for row in MODELS}
            if request.name not in known:
                await no_such_model(context, request.name)
            return models.GetProviderModelResponse(model=_model(*known[request.name]))

    async def RefreshProviderModels(
        self, request: models.RefreshProviderModelsRequest, context: Context
    ) -> models.RefreshProviderModelsResponse:
        async with self._script.call("RefreshProviderModels", request, context):
            error = "unsupported" if request.name == "providers/echo" else ""
            return models.RefreshProviderModelsResponse(list=models.ModelList(refresh_error=error))

    async def GetModelSelection(
        self, request: models.GetModelSelectionRequest, context: Context
    ) -> models.GetModelSelectionResponse:
        async with self._script.call("GetModelSelection", request, context):
            selection = models.ModelSelection(name=request.name, selected_model="gpt-5", editable=True)
            return models.GetModelSelectionResponse(model_selection=selection)

    async def UpdateModelSelection(
        self, request: models.UpdateModelSelectionRequest, context: Context
    ) -> models.UpdateModelSelectionResponse:
        async with self._script.call("UpdateModelSelection", request, context):
            return models.UpdateModelSelectionResponse(model_selection=request.model_selection)

    async def DeleteModelSelection(
        self, request: models.DeleteModelSelectionRequest, context: Context
    ) -> models.DeleteModelSelectionResponse:
        async with self._script.call("DeleteModelSelection", request, context):
            return models.DeleteModelSelectionResponse()

    def _page(self, rows: list[models.Model], token: str) -> tuple[list[models.Model], str]:
        start = int(token or 0)
        end = start + self._script.page_size
        return rows[start:end], str(end) if end < len(rows) else ""


def _model(model: str, provider: str) -> models.Model:
    return models.Model(
        name=f"models/{model}",
        id=model,
        owned_by=provider,
        provider=provider,
        provider_type=provider,
        status=models.PROVIDER_STATUS_HEALTHY,
        enabled=True,
        provider_model=model,
        context_window=272_000 if model == "gpt-5" else None,
        max_output_tokens=128_000 if model == "gpt-5" else None,
        input_usd_micros_per_million_tokens=1_250_000 if model == "gpt-5" else None,
        output_usd_micros_per_million_tokens=10_000_000 if model == "gpt-5" else None,
    )


class Admin(Tenancy):
    async def GetConfigStatus(
        self, request: admin.GetConfigStatusRequest, context: Context
    ) -> admin.GetConfigStatusResponse:
        async with self._script.call("GetConfigStatus", request, context):
            return admin.GetConfigStatusResponse(config_status=admin.ConfigStatus(status="valid", generation=1))

    async def ListFaults(self, request: admin.ListFaultsRequest, context: Context) -> admin.ListFaultsResponse:
        async with self._script.call("ListFaults", request, context):
            if not request.page_token:
                return admin.ListFaultsResponse(faults=[admin.Fault(name="faults/configured-1")], next_page_token="more")
            return admin.ListFaultsResponse(faults=[admin.Fault(name="faults/game-day")])

    async def CreateFault(self, request: admin.CreateFaultRequest, context: Context) -> admin.CreateFaultResponse:
        async with self._script.call("CreateFault", request, context):
            made = admin.Fault(name=f"faults/{request.fault_id or 'reset-1'}")
            made.MergeFrom(request.fault)
            return admin.CreateFaultResponse(fault=made)

    async def DeleteFault(self, request: admin.DeleteFaultRequest, context: Context) -> admin.DeleteFaultResponse:
        async with self._script.call("DeleteFault", request, context):
            return admin.DeleteFaultResponse()


class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def GetHealth(self, request: metrics.GetHealthRequest, context: Context) -> metrics.GetHealthResponse:
        async with self._script.call("GetHealth", request, context):
            return metrics.GetHealthResponse(health=metrics.Health(status="healthy", version="1"))

    async def ListProviders(self, request: metrics.ListProvidersRequest, context: Context) -> metrics.ListProvidersResponse:
        async with self._script.call("ListProviders", request, context):
            if not request.page_token:
                echo = metrics.Provider(name="providers/echo", id="echo", type="echo", enabled=True)
                return metrics.ListProvidersResponse(providers=[echo], next_page_token="more")
            openai = metrics.Provider(name="providers/openai", id="openai", type="openai", enabled=True)
            return metrics.ListProvidersResponse(providers=[openai])

    async def ExportPrometheus(
        self, request: metrics.ExportPrometheusRequest, context: Context
    ) -> metrics.ExportPrometheusResponse:
        async with self._script.call("ExportPrometheus", request, context):
            return metrics.ExportPrometheusResponse(content_type="text/plain", text="up 1\n")

    async def ListCompletions(
        self, request: metrics.ListCompletionsRequest, context: Context
    ) -> metrics.ListCompletionsResponse:
        async with self._script.call("ListCompletions", request, context):
            number, more = ("1", "") if request.page_token else ("2", "more")
            record = CompletionRecord(name=f"completion_records/{number}", model=request.model or "echo")
            return metrics.ListCompletionsResponse(completion_records=[record], next_page_token=more)

    async def GetCompletion(self, request: metrics.GetCompletionRequest, context: Context) -> metrics.GetCompletionResponse:
        async with self._script.call("GetCompletion", request, context):
            return metrics.GetCompletionResponse(completion_record=CompletionRecord(name=request.name, model="echo"))


class Alerts(alerts_service_pb2_grpc.AlertsServiceServicer):
    def __init__(self, script: Script) -> None:
        self._script = script

    async def ListAlerts(self, request: alerts.ListAlertsRequest, context: Context) -> alerts.ListAlertsResponse:
        async with self._script.call("ListAlerts", request, context):
            alert = alerts.Alert(name="alerts/1", rule="ProviderDown", message="openai does not answer")
            return alerts.ListAlertsResponse(alerts=[alert])


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where it listens, its script, and how to end it before its time."""

    target: str
    script: Script
    stop: Callable[[], Awaitable[None]]


@asynccontextmanager
async def run_gateway(
    address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None, options: Iterable[tuple[str, int]] = ()
) -> AsyncIterator[Gateway]:
    """Runs a gateway until the block ends."""
    server = grpc.aio.server(options=list(options))
    script = Script()
    completion_service_pb2_grpc.add_CompletionServiceServicer_to_server(Completions(script), server)
    models_service_pb2_grpc.add_ModelsServiceServicer_to_server(Models(script), server)
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(Admin(script), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(script), server)
    alerts_service_pb2_grpc.add_AlertsServiceServicer_to_server(Alerts(script), server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    await server.start()
    try:
        target = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        yield Gateway(target, script, lambda: server.stop(None))
    finally:
        await server.stop(None)
