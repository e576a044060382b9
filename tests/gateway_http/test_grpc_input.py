"""Bad requests over gRPC: the same checks as over HTTP, and what only raw messages can have."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.protobuf.message import Message as ProtoMessage
from google.rpc import error_details_pb2, status_pb2

from tests.fakes.vendor import ScriptedVendor
from tests.gateway_http.serving import KEY, PATIENCE_S, Running, running
from trunkline.v1 import (
    alerts_service_pb2,
    chat_pb2,
    completion_service_pb2,
    metrics_service_pb2,
    models_service_pb2,
    text_pb2,
)
from trunkline.v1.admin_service_pb2 import CreateTenantRequest, CreateUserRequest

COMPLETIONS = "/trunkline.v1.CompletionService/"
USER = chat_pb2.Message(role="user", content="Hello")
Metadata = Sequence[tuple[str, str | bytes]]
Ask = Callable[..., "grpc.aio.UnaryUnaryCall[bytes, bytes]"]


class Refusal:
    """How a call was refused."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        status = status_pb2.Status()
        info = error_details_pb2.ErrorInfo()
        self.fields: list[str] = []
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status.ParseFromString(cast(bytes, value))
        for detail in status.details:
            detail.Unpack(info)
            faults = error_details_pb2.BadRequest()
            if detail.Unpack(faults):
                self.fields = [fault.field for fault in faults.field_violations]
        self.message = status.message
        self.reason = info.reason
        self.param = info.metadata.get("param")


class Stubs:
    """Sends messages, or bytes that are none."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def refusal(self, method: str, request: ProtoMessage | bytes, metadata: Metadata | None = None) -> Refusal:
        """How the method refuses the request, which it is to do."""
        refusal = await self.outcome(method, request, metadata)
        assert refusal is not None, "it was answered"
        return refusal

    async def outcome(self, method: str, request: ProtoMessage | bytes, metadata: Metadata | None = None) -> Refusal | None:
        """How the method refuses the request; None where it answers."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        key = (("authorization", f"Bearer {KEY}"),) if metadata is None else metadata
        try:
            if "/Stream" in method:
                async for _ in self._channel.unary_stream(method)(data, metadata=key, timeout=PATIENCE_S):
                    pass
            else:
                await self._channel.unary_unary(method)(data, metadata=key, timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            return Refusal(error)
        return None


CONFIG = """
    server: {{max_body_mb: 1}}
    providers:
      - {{name: echo, type: echo, models: [echo]}}
      - {{name: openai, type: openai, base_url: "{url}/v1", api_key: {key}, models: [gpt-4o]}}
      - {{name: anthropic, type: anthropic, base_url: "{url}", api_key: {key}, models: [claude]}}
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with a provider of each dialect, which takes messages of 1 MB."""
    async with ScriptedVendor() as vendor, running(tmp_path, CONFIG.format(url=vendor.url, key=vendor.key)) as started:
        yield started
        assert started.errors_logged() == []
        # What is JSON, and still no request, is for the vendor to refuse.
        vendor.violations.clear()


@pytest.fixture
async def stubs(gateway: Running) -> AsyncIterator[Stubs]:
    """Speaks to the gateway's gRPC port."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        yield Stubs(channel)


def create(**chat: object) -> completion_service_pb2.CreateChatCompletionRequest:
    fields = {"model": "echo", "messages": [USER], **chat}
    return completion_service_pb2.CreateChatCompletionRequest(chat=chat_pb2.ChatCompletionRequest(**fields))  # type: ignore[arg-type]


EMPTY = {
    "CreateChatCompletion": "model",
    "StreamChatCompletion": "model",
    "CreateTextCompletion": "model",
    "StreamTextCompletion": "model",
    "CreateEmbeddings": "model",
    "CreateImages": "model",
    "CreateVideos": "model",
}

FAULTS = {
    "no messages": (create(messages=[]), "messages"),
    "an empty message": (create(messages=[chat_pb2.Message()]), "messages[0].role"),
    "no content": (create(messages=[USER, chat_pb2.Message(role="user")]), "messages[1].content"),
    "a path": (create(model="../x"), "model"),
    "a temperature that is no number": (create(temperature=float("nan")), "temperature"),
    "an endless temperature": (create(temperature=float("inf")), "temperature"),
    "a negative n": (create(n=-1), "n"),
    "absurd max_tokens": (create(max_tokens=2**63 - 1), "max_tokens"),
    "max_tokens once more": (create(max_tokens=1, extra_json='{"max_tokens": 99999}'), "extra_json"),
    "a null for max_tokens": (create(max_tokens=1, extra_json='{"max_tokens": null}'), "extra_json"),
    "max_tokens as text": (create(extra_json='{"max_tokens": "99999"}'), "extra_json"),
    "an n past all": (create(extra_json='{"n": 100000}'), "extra_json"),
    "other messages": (create(extra_json='{"messages": [{"role": "user", "content": "Bye"}]}'), "extra_json"),
    "an extra that is no JSON": (create(extra_json="{"), "extra_json"),
    "an extra that is a list": (create(extra_json="[1]"), "extra_json"),
    "an endless bias": (create(logit_bias={"1": float("-inf")}), "logit_bias.1"),
}


@pytest.mark.parametrize(("method", "param"), EMPTY.items(), ids=EMPTY)
async def test_an_empty_request_is_refused(stubs: Stubs, method: str, param: str) -> None:
    refusal = await stubs.refusal(COMPLETIONS + method, b"")
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert (refusal.param, refusal.fields) == (param, [param])


@pytest.mark.parametrize(("request_message", "param"), FAULTS.values(), ids=FAULTS)
async def test_a_field_that_is_at_fault_is_named(stubs: Stubs, request_message: ProtoMessage, param: str) -> None:
    refusal = await stubs.refusal(COMPLETIONS + "CreateChatCompletion", request_message)
    assert (refusal.code, refusal.param, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, param, [param])


def _tool(parameters: str) -> chat_pb2.Tool:
    return chat_pb2.Tool(type="function", function=chat_pb2.FunctionDefinition(name="a", parameters_json=parameters))


BROKEN_JSON = {
    "parameters": {"tools": [_tool("{")]},
    "no parameters": {"tools": [_tool("")]},
    "parameters that are a list": {"tools": [_tool("[]")]},
    "parameters of 5,000 levels": {"tools": [_tool('{"a":' * 5000 + "1" + "}" * 5000)]},
    "extra": {"extra_json": "{"},
    "extra that is a list": {"extra_json": "[1]"},
    "extra of a message": {"messages": [chat_pb2.Message(role="user", content="x", extra_json="nonsense")]},
    "extra that says who answers": {"extra_json": '{"model": "other", "stream": true, "messages": []}'},
    "extra that asks for a stream": {"extra_json": '{"stream": true}'},
    "nulls of no field": {"nulls": [99999, -1, 0]},
    "nulls of fields that are set": {"nulls": [1, 2, 3, 4, 5, 6, 7, 8]},
    "a schema": {
        "response_format": chat_pb2.ResponseFormat(
            type="json_schema", json_schema=chat_pb2.JsonSchema(name="a", schema_json="{")
        )
    },
}


@pytest.mark.parametrize("model", ["echo", "gpt-4o", "claude"])
@pytest.mark.parametrize("fields", BROKEN_JSON.values(), ids=BROKEN_JSON)
@pytest.mark.parametrize("method", ["CreateChatCompletion", "StreamChatCompletion"])
async def test_a_json_field_that_holds_no_json_is_no_fault_of_the_gateway(
    stubs: Stubs, model: str, fields: dict[str, object], method: str
) -> None:
    refusal = await stubs.outcome(COMPLETIONS + method, create(model=model, **fields))
    assert refusal is None or refusal.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_bytes_that_are_no_message_are_refused(stubs: Stubs) -> None:
    for method in ("CreateChatCompletion", "StreamChatCompletion"):
        refusal = await stubs.refusal(COMPLETIONS + method, b"\xff\xff\xff\xff")
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
        refusal = await stubs.refusal(COMPLETIONS + method, b"\xff\xff\xff\xff", ())
        assert refusal.code is grpc.StatusCode.UNAUTHENTICATED


async def test_text_that_is_no_utf8_is_refused(stubs: Stubs) -> None:
    data = create(model="XXXX").SerializeToString().replace(b"XXXX", b"\xff\xfe\xff\xfe")
    refusal = await stubs.refusal(COMPLETIONS + "CreateChatCompletion", data)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_a_message_that_is_too_long_is_refused(stubs: Stubs) -> None:
    long = chat_pb2.Message(role="user", content="x" * 1024 * 1024)
    refusal = await stubs.refusal(COMPLETIONS + "CreateChatCompletion", create(messages=[long]))
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("method", "request_type", "field"),
    [("CreateTenant", CreateTenantRequest, "tenant"), ("CreateUser", CreateUserRequest, "user")],
    ids=["CreateTenant", "CreateUser"],
)
async def test_what_is_to_be_made_is_required(
    stubs: Stubs, method: str, request_type: Callable[[], ProtoMessage], field: str
) -> None:
    refusal = await stubs.refusal(f"/trunkline.v1.AdminService/{method}", request_type())
    assert (refusal.code, refusal.param) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_an_unknown_method_is_refused(stubs: Stubs) -> None:
    assert (await stubs.refusal(COMPLETIONS + "CreateWonders", b"")).code is grpc.StatusCode.UNIMPLEMENTED
    assert (await stubs.refusal("/nobody.v1.Service/Do", b"")).code is grpc.StatusCode.UNIMPLEMENTED


LISTS = {
    "/trunkline.v1.ModelsService/ListModels": models_service_pb2.ListModelsRequest,
    "/trunkline.v1.MetricsService/ListProviders": metrics_service_pb2.ListProvidersRequest,
    "/trunkline.v1.AlertsService/ListAlerts": alerts_service_pb2.ListAlertsRequest,
}


@pytest.mark.parametrize(("method", "request_type"), LISTS.items(), ids=LISTS)
async def test_a_page_that_makes_no_sense_is_refused(
    stubs: Stubs, method: str, request_type: Callable[..., ProtoMessage]
) -> None:
    for token in ("x", "-1", "1e3", "٣", "9" * 30, "\0", " 1"):
        refusal = await stubs.refusal(method, request_type(page_token=token))
        assert (refusal.code, refusal.param) == (grpc.StatusCode.INVALID_ARGUMENT, "page_token")
    refusal = await stubs.refusal(method, request_type(page_size=-(2**31)))
    assert (refusal.code, refusal.param) == (grpc.StatusCode.INVALID_ARGUMENT, "page_size")


async def test_a_model_name_that_makes_no_sense_is_refused(stubs: Stubs) -> None:
    for name in ("", "models/", "echo", "models/../x", "models/" + "a" * 201, "models/" + "a" * 100_000):
        request = models_service_pb2.GetModelRequest(name=name)
        refusal = await stubs.refusal("/trunkline.v1.ModelsService/GetModel", request)
        assert (refusal.code, refusal.param) == (grpc.StatusCode.INVALID_ARGUMENT, "name")


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer x"),),
        (("authorization", ""),),
        (("x-api-key", "y" * 4000),),
        (("x-api-key-bin", b"\0"),),
    ],
    ids=["none", "unknown", "empty", "long", "binary"],
)
async def test_a_call_without_a_key_that_is_known_is_refused(stubs: Stubs, metadata: Metadata) -> None:
    refusal = await stubs.refusal(COMPLETIONS + "CreateChatCompletion", create(), metadata)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_API_KEY")


async def test_a_long_key_of_a_map_does_not_make_the_status_too_long(stubs: Stubs) -> None:
    request = create(logit_bias={"9" * 100_000: 101})
    refusal = await stubs.refusal(COMPLETIONS + "CreateChatCompletion", request)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_list_of_texts_that_is_empty_is_refused(stubs: Stubs) -> None:
    empty = text_pb2.TextInput(texts=text_pb2.Strings())
    for method, request in (
        ("CreateTextCompletion", {"text": {"model": "echo", "prompt": empty}}),
        ("CreateEmbeddings", {"embedding": {"model": "echo", "input": empty}}),
    ):
        message = getattr(completion_service_pb2, f"{method}Request")(**request)
        refusal = await stubs.refusal(COMPLETIONS + method, message)
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
