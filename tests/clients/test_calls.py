"""Calls with one answer: what they give, what they send along, when they are tried again and when they end."""

import asyncio
from typing import cast

import grpc
import pytest

from tests.clients.fake_gateway import TOLD, Failure, Gateway
from tests.clients.requests import chat
from trunkline.v1.admin_service_pb2 import FAULT_TYPE_STALL, DeleteFaultRequest, Fault
from trunkline.v1.alerts_service_pb2 import ALERT_SEVERITY_ERROR, ListAlertsRequest
from trunkline.v1.completion_service_pb2 import ANSWER_FORMAT_JSON, CreateChatCompletionRequest
from trunkline.v1.metrics_service_pb2 import ExportPrometheusRequest, PrometheusFormat
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest, TextInput, VideoRequest
from trunkline_client import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    NotFoundError,
    RateLimitedError,
    Retries,
    UnavailableError,
    open_channel,
)

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "later")
EXHAUSTED = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much")


async def test_an_answer_tells_who_gave_it(client: AsyncClient) -> None:
    answer = await client.completions.create_chat_completion(chat(text="Hi"))

    assert answer.value.choices[0].message.content == "Hi"
    assert (answer.provider, answer.attempts, answer.request_id) == ("echo", 1, "req-1")
    assert set(TOLD) <= {(key, value) for key, value in answer.metadata}


async def test_an_rpcs_own_request_is_taken_as_well(client: AsyncClient) -> None:
    answer = await client.completions.create_chat_completion(CreateChatCompletionRequest(chat=chat(text="Hi")))

    assert answer.value.choices[0].message.content == "Hi"


async def test_an_answer_as_json_text_is_not_asked_for_where_it_would_be_lost(gateway: Gateway, client: AsyncClient) -> None:
    request = CreateChatCompletionRequest(chat=chat(), answer_format=ANSWER_FORMAT_JSON)
    with pytest.raises(ValueError, match="create_chat_completion_response"):
        await client.completions.create_chat_completion(request)
    with Client(gateway.target) as threads, pytest.raises(ValueError, match="JSON"):
        threads.completions.create_chat_completion(request)
    assert gateway.script.calls == []


async def test_texts_embeddings_images_and_videos_come_back(client: AsyncClient) -> None:
    text = await client.completions.create_text_completion(TextCompletionRequest(model="m", prompt=TextInput(text="Once")))
    embeddings = await client.completions.create_embeddings(EmbeddingRequest(model="m"))
    images = await client.completions.create_images(ImageRequest(model="m"))
    videos = await client.completions.create_videos(VideoRequest(model="m"))

    assert text.value.choices[0].text == "Once"
    assert len(embeddings.value.data) == 1
    assert images.value.data[0].url == "https://example.com/1.png"
    assert videos.value.data[0].url == "https://example.com/1.mp4"


async def test_health_needs_no_key(client: AsyncClient) -> None:
    assert (await client.metrics.get_health()).status == "healthy"


async def test_metrics_come_in_the_form_that_is_asked_for(gateway: Gateway, client: AsyncClient) -> None:
    assert (await client.metrics.export_prometheus()).text == "up 1\n"
    await client.metrics.export_prometheus(openmetrics=True)
    formats = [cast(ExportPrometheusRequest, call.request).format for call in gateway.script.calls]
    assert formats == [PrometheusFormat.PROMETHEUS_FORMAT_TEXT, PrometheusFormat.PROMETHEUS_FORMAT_OPENMETRICS]


async def test_lists_get_page_after_page(gateway: Gateway, client: AsyncClient) -> None:
    models = [model.id async for model in client.models.list_models(page_size=1)]
    providers = [provider.id async for provider in client.metrics.list_providers()]

    assert models == ["echo", "gpt-5"]
    assert providers == ["echo", "openai"]
    assert [call.method for call in gateway.script.calls] == ["ListModels"] * 2 + ["ListProviders"] * 2


async def test_a_page_that_nobody_asks_for_is_not_fetched(gateway: Gateway, client: AsyncClient) -> None:
    first = await anext(aiter(client.models.list_models()))

    assert first.id == "echo"
    assert len(gateway.script.calls) == 1


async def test_a_filter_travels(gateway: Gateway, client: AsyncClient) -> None:
    assert [alert.rule async for alert in client.alerts.list_alerts(severity=ALERT_SEVERITY_ERROR)] == ["ProviderDown"]
    assert cast(ListAlertsRequest, gateway.script.calls[0].request).severity == ALERT_SEVERITY_ERROR


async def test_faults_are_made_listed_and_ended(gateway: Gateway, client: AsyncClient) -> None:
    fault = Fault(type=FAULT_TYPE_STALL, after_chunks=2)
    made = await client.admin.create_fault(fault, fault_id="quiet")
    assert (made.name, made.after_chunks) == ("faults/quiet", 2)
    assert (await client.admin.create_fault(Fault())).name == "faults/reset-1"
    assert [known.name async for known in client.admin.list_faults(page_size=1)] == [
        "faults/configured-1",
        "faults/game-day",
    ]
    await client.admin.delete_fault(made.name)
    assert gateway.script.calls[-1].request == DeleteFaultRequest(name="faults/quiet")


async def test_a_model_that_is_not_there_is_not_found(client: AsyncClient) -> None:
    with pytest.raises(NotFoundError) as raised:
        await client.models.get_model("nobody/at:all")

    assert raised.value.metadata["model"] == "nobody/at:all"


async def test_the_key_travels_as_a_bearer_token(gateway: Gateway) -> None:
    async with AsyncClient(gateway.target, api_key="k-1") as client:
        await client.metrics.get_health(metadata=[("x-request-id", "mine")])

    assert gateway.script.calls[0].metadata["authorization"] == "Bearer k-1"
    assert gateway.script.calls[0].metadata["x-request-id"] == "mine"


@pytest.mark.parametrize(
    "pair", [("authorization", "Bearer theirs"), ("x-api-key", "theirs")], ids=["authorization", "x-api-key"]
)
async def test_a_calls_own_key_takes_the_place_of_the_clients(gateway: Gateway, pair: tuple[str, str]) -> None:
    async with AsyncClient(gateway.target, api_key="ours") as client:
        await client.metrics.get_health(metadata=[pair])

    assert "theirs" in str(gateway.script.calls[0].metadata[pair[0]])
    assert "ours" not in str(gateway.script.calls[0].metadata)


async def test_every_call_has_a_deadline(gateway: Gateway, client: AsyncClient) -> None:
    await client.metrics.get_health()
    await client.metrics.get_health(timeout_s=1000)

    # On the wire gRPC rounds a deadline up by a hundredth.
    assert 0 < gateway.script.calls[0].time_remaining_s < 610 < gateway.script.calls[1].time_remaining_s < 1020


async def test_a_call_past_its_deadline_fails_and_leaves_the_server_idle(gateway: Gateway, client: AsyncClient) -> None:
    with pytest.raises(DeadlineExceededError):
        await client.completions.create_chat_completion(chat("silent"), timeout_s=0.2)

    await gateway.script.idle.wait()


async def test_a_cancelled_task_is_just_cancelled_and_leaves_the_server_idle(gateway: Gateway, client: AsyncClient) -> None:
    task = asyncio.create_task(client.completions.create_chat_completion(chat("silent")))
    await client.metrics.get_health()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await gateway.script.idle.wait()


async def test_closing_the_client_ends_a_call_with_an_error(gateway: Gateway) -> None:
    client = AsyncClient(gateway.target)
    asking = asyncio.ensure_future(client.completions.create_chat_completion(chat("silent")))
    await client.metrics.get_health()
    await client.close()

    with pytest.raises(UnavailableError, match="closed"):
        await asking
    await gateway.script.idle.wait()


async def test_a_call_after_the_closing_is_unavailable(gateway: Gateway) -> None:
    client, threads = AsyncClient(gateway.target), Client(gateway.target)
    await client.close()
    threads.close()

    with pytest.raises(UnavailableError, match="closed"):
        await client.metrics.get_health()
    with pytest.raises(UnavailableError, match="closed"):
        client.completions.stream_chat_completion(chat())
    with pytest.raises(UnavailableError, match="closed"):
        threads.metrics.get_health()
    with pytest.raises(UnavailableError, match="closed"):
        threads.completions.stream_chat_completion(chat())


@pytest.mark.parametrize("timeout_s", [float("inf"), 1e12])
async def test_a_timeout_may_be_endless(gateway: Gateway, client: AsyncClient, timeout_s: float) -> None:
    await client.metrics.get_health(timeout_s=timeout_s)
    stream = client.completions.stream_chat_completion(chat(), timeout_s=timeout_s)
    assert len([message async for message in stream]) == 2

    def work() -> None:
        with Client(gateway.target, timeout_s=timeout_s) as threads:
            threads.metrics.get_health()

    await asyncio.to_thread(work)


async def test_unavailable_is_tried_again(gateway: Gateway, client: AsyncClient) -> None:
    gateway.script.failures.extend([UNAVAILABLE, UNAVAILABLE])
    answer = await client.completions.create_chat_completion(chat(text="Hi"))

    assert answer.value.choices[0].message.content == "Hi"
    assert len(gateway.script.calls) == 3


async def test_after_three_attempts_it_is_over(gateway: Gateway, client: AsyncClient) -> None:
    gateway.script.failures.extend([UNAVAILABLE] * 4)
    with pytest.raises(UnavailableError):
        await client.completions.create_chat_completion(chat())

    assert len(gateway.script.calls) == 3


async def test_another_status_than_unavailable_is_not_tried_again(gateway: Gateway, client: AsyncClient) -> None:
    gateway.script.failures.append(EXHAUSTED)
    with pytest.raises(RateLimitedError):
        await client.completions.create_chat_completion(chat())

    assert len(gateway.script.calls) == 1


async def test_a_server_that_asks_not_to_be_tried_again_is_not(gateway: Gateway, client: AsyncClient) -> None:
    pushback = (("grpc-retry-pushback-ms", "-1"),)
    gateway.script.failures.append(Failure(grpc.StatusCode.UNAVAILABLE, "go away", trailers=pushback))
    with pytest.raises(UnavailableError):
        await client.completions.create_chat_completion(chat())

    assert len(gateway.script.calls) == 1


async def test_a_server_may_say_itself_when_to_come_back(gateway: Gateway) -> None:
    pushback = (("grpc-retry-pushback-ms", "1"),)
    gateway.script.failures.append(Failure(grpc.StatusCode.UNAVAILABLE, "soon", trailers=pushback))
    # A wait of an hour would run into the deadline.
    patient = Retries(initial_backoff_s=3600, max_backoff_s=3600)
    async with open_channel(gateway.target, retries=patient) as channel:
        await AsyncClient(channel, timeout_s=60).completions.create_chat_completion(chat())

    assert len(gateway.script.calls) == 2


async def test_without_retries_nothing_is_tried_again(gateway: Gateway) -> None:
    gateway.script.failures.append(UNAVAILABLE)
    async with open_channel(gateway.target, retries=None) as channel:
        with pytest.raises(UnavailableError):
            await AsyncClient(channel).completions.create_chat_completion(chat())

    assert len(gateway.script.calls) == 1


async def test_closing_a_client_leaves_a_channel_open_that_it_was_given(gateway: Gateway) -> None:
    async with open_channel(gateway.target) as channel:
        async with AsyncClient(channel):
            pass
        async with AsyncClient(channel) as second:
            assert (await second.metrics.get_health()).status == "healthy"


async def test_a_client_for_threads_does_the_same(gateway: Gateway) -> None:
    def work() -> None:
        with Client(gateway.target, api_key="k-1") as client:
            answer = client.completions.create_chat_completion(chat(text="Hi"))
            assert answer.value.choices[0].message.content == "Hi"
            assert (answer.provider, answer.attempts, answer.request_id) == ("echo", 1, "req-1")
            text = TextCompletionRequest(model="m", prompt=TextInput(text="Once"))
            assert client.completions.create_text_completion(text).value.choices[0].text == "Once"
            assert len(client.completions.create_embeddings(EmbeddingRequest(model="m")).value.data) == 1
            assert len(client.completions.create_images(ImageRequest(model="m")).value.data) == 1
            assert len(client.completions.create_videos(VideoRequest(model="m")).value.data) == 1
            assert [model.id for model in client.models.list_models()] == ["echo", "gpt-5"]
            assert client.models.get_model("echo").provider == "echo"
            assert client.admin.get_config_status().status == "valid"
            assert len(list(client.admin.list_faults())) == 2
            client.admin.delete_fault(client.admin.create_fault(Fault(), fault_id="threads").name)
            assert [provider.id for provider in client.metrics.list_providers()] == ["echo", "openai"]
            assert [alert.rule for alert in client.alerts.list_alerts()] == ["ProviderDown"]
            assert client.metrics.export_prometheus().content_type == "text/plain"
            with pytest.raises(NotFoundError) as raised:
                client.completions.create_chat_completion(chat("nobody"), timeout_s=60)
            assert (raised.value.reason, raised.value.request_id) == ("model_not_found", "req-1")
            with pytest.raises(DeadlineExceededError):
                client.completions.create_chat_completion(chat("silent"), timeout_s=0.2)

    await asyncio.to_thread(work)
    assert {call.metadata["authorization"] for call in gateway.script.calls} == {"Bearer k-1"}
    await gateway.script.idle.wait()
