"""How a request finds the provider that answers it, and what its caller is told when none does."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import grpc
import orjson
import pytest
from google.rpc import error_details_pb2

from server.caller import Caller
from server.clock import SystemClock
from server.config.schema import ChaosEngineeringSettings
from server.dispatch.dispatcher import Dispatcher
from server.dispatch.failure import Failure, able, broken, failed
from server.dispatch.router import Row
from server.errors import GatewayError, reason_name, to_status
from server.policies.chaos import Chaos
from server.providers.base import Batch, Operation
from server.providers.errors import Fault, ProviderError
from tests.server.calls import RecordingContext, call
from tests.server.dispatch.scripted_provider import Scripted, chat, fails, means, row, rows, says, target
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.error_reason_pb2 import ErrorReason

HERE = [fault for fault in Fault if not fault.elsewhere]
ELSEWHERE = [fault for fault in Fault if fault.elsewhere]
ANSWER = [says("Hello"), says(" there", Usage(input_tokens=5, output_tokens=2), end="stop")]


async def answer(rows: Sequence[Row], context: RecordingContext | None = None, **routing: str) -> list[Batch]:
    """All batches of an answer."""
    async with aclosing(Dispatcher(means(rows, routing=routing)).stream(chat(), call(context=context))) as batches:
        return [batch async for batch in batches]


async def refusal(rows: Sequence[Row], context: RecordingContext | None = None, **routing: str) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await answer(rows, context, **routing)
    return raised.value


async def test_the_first_provider_answers_and_the_next_is_not_asked() -> None:
    first, second = Scripted(ANSWER), Scripted(ANSWER)
    assert await answer(rows(first, second)) == ANSWER
    assert (len(first.asks), len(second.asks), first.closed) == (1, 0, 1)


@pytest.mark.parametrize("fault", ELSEWHERE, ids=lambda fault: fault.name)
async def test_a_fault_of_one_provider_is_another_ones_chance(fault: Fault) -> None:
    second = Scripted(ANSWER)
    assert await answer(rows(fails(fault), fails(fault), second)) == ANSWER


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.name)
async def test_a_fault_of_the_request_is_nobodys_chance(fault: Fault) -> None:
    second = Scripted(ANSWER)
    await refusal(rows(fails(fault), second))
    assert second.asks == []


async def whole_answer(*providers: Scripted, **settings: object) -> list[Batch]:
    """An answer that is not streamed: the one batch, which is the same whichever way it is asked for."""
    ask = chat(streamed=False)
    others = [replace(provider, asks=[]) for provider in providers]
    async with aclosing(Dispatcher(means(rows(*others, **settings))).stream(ask, call())) as batches:
        given = [batch async for batch in batches]
    assert [await Dispatcher(means(rows(*providers, **settings))).answer(ask, call())] == given
    return given


async def test_a_fault_at_the_end_of_a_whole_answer_is_another_ones_chance() -> None:
    whole = [says("Hello", end="stop")]
    first, second = Scripted(whole, ProviderError(Fault.CONNECTION, "Gone.")), Scripted(whole)
    assert await whole_answer(first, second) == whole
    assert (first.closed, len(second.asks)) == (1, 1)


async def test_an_unstreamed_answer_that_does_not_end_is_another_ones_chance() -> None:
    whole = [says("Hello", end="stop")]
    first, second = Scripted(whole, silent=True), Scripted(whole)
    assert await whole_answer(first, second, timeout=0.02, max_retries=0) == whole
    assert (first.closed, len(second.asks)) == (1, 1)


async def test_who_gives_two_whole_answers_breaks_the_protocol() -> None:
    whole = [says("Hello", end="stop")]
    assert await whole_answer(Scripted([*whole, *whole]), Scripted(whole)) == whole


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
async def test_nobody_else_is_asked_after_the_first_batch(fault: Fault) -> None:
    first = Scripted(ANSWER[:1], ProviderError(fault, "Gone."))
    second = Scripted(ANSWER)
    error = await refusal(rows(first, second), on_broken_stream="error")
    assert (error.reason, error.code) == (ErrorReason.ERROR_REASON_PROVIDER_ERROR, grpc.StatusCode.UNAVAILABLE)
    assert (second.asks, first.closed) == ([], 1)


async def test_an_answer_without_a_batch_is_a_fault() -> None:
    assert await answer(rows(Scripted(), Scripted(ANSWER))) == ANSWER
    assert (await refusal(rows(Scripted()))).reason == ErrorReason.ERROR_REASON_PROVIDER_ERROR


async def test_the_first_batch_brings_who_answers() -> None:
    context = RecordingContext()
    made = call(context=context)
    async with aclosing(Dispatcher(means(rows(fails(Fault.SERVER), Scripted(ANSWER)))).stream(chat(), made)) as batches:
        assert context.initial == []
        await anext(batches)
        assert context.initial == [{"x-request-id": "req_test", "trunkline-provider": "b", "trunkline-attempts": "2"}]
        async for _ in batches:
            pass
    assert len(context.initial) == 1
    assert dict(made.trailers) == {
        "trunkline-provider": "b",
        "trunkline-attempts": "2",
        "trunkline-model": "m",
        "trunkline-input-tokens": "5",
        "trunkline-output-tokens": "2",
    }
    assert made.notes == {
        "model": "m",
        "provider": "b",
        "attempts": 2,
        "failures": ["a: server_error"],
        "input_tokens": 5,
        "output_tokens": 2,
    }


async def test_a_failed_call_has_no_initial_metadata_and_notes_every_try() -> None:
    context = RecordingContext()
    made = call(context=context)
    with pytest.raises(GatewayError):
        async for _ in Dispatcher(means(rows(fails(Fault.SERVER), fails(Fault.TIMEOUT)))).stream(chat(), made):
            pass
    assert context.initial == []
    assert made.notes["failures"] == ["a: server_error", "b: timeout_error"]


async def test_usage_that_grows_is_told_once() -> None:
    batches = [says("a", Usage(input_tokens=5, output_tokens=count), end="stop") for count in (1, 2, 3)]
    made = call()
    async for _ in Dispatcher(means(rows(Scripted(batches)))).stream(chat(), made):
        pass
    assert [value for key, value in made.trailers if key == "trunkline-output-tokens"] == ["3"]


async def test_leaving_an_answer_closes_its_provider() -> None:
    provider = Scripted(ANSWER)
    async with aclosing(Dispatcher(means(rows(provider))).stream(chat(), call())) as batches:
        await anext(batches)
    assert provider.closed == 1


async def test_no_other_provider_is_asked_when_the_time_is_up() -> None:
    second = Scripted(ANSWER)
    error = await refusal(rows(fails(Fault.TIMEOUT), second), RecordingContext(0.0))
    assert (error.reason, second.asks) == (ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, [])


async def test_each_provider_is_asked_for_its_own_name_of_the_model() -> None:
    provider = Scripted(ANSWER)
    routes = means([Row(row("a", "x"), provider)], routing={"aliases": {"fast": "a/its-name"}})
    async with aclosing(Dispatcher(routes).stream(chat("fast"), call())) as batches:
        assert [batch async for batch in batches] == ANSWER
    assert (provider.asks[0].model, provider.asks[0].request.model) == ("its-name", "fast")


# What a fault comes to


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.INVALID_REQUEST, "invalid_request"),
        (Fault.CONTEXT_LENGTH, "context_length_exceeded"),
        (Fault.CONTENT_FILTER, "content_filtered"),
        (Fault.UNSUPPORTED, "invalid_request"),
        (Fault.MODEL_NOT_FOUND, "model_not_found"),
        (Fault.RATE_LIMITED, "rate_limited"),
        (Fault.PROTOCOL, "provider_error"),
        (Fault.AUTHENTICATION, "providers_unavailable"),
        (Fault.OVERLOADED, "providers_unavailable"),
        (Fault.SERVER, "providers_unavailable"),
        (Fault.CONNECTION, "providers_unavailable"),
        (Fault.TIMEOUT, "providers_unavailable"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_fault_that_all_had_is_the_reason(fault: Fault, reason: str) -> None:
    failures = [Failure(target(name), ProviderError(fault, f"{name} says no.")) for name in "ab"]
    assert reason_name(failed(failures, "m").reason) == reason


def test_every_fault_has_its_case_above() -> None:
    assert len(Fault) == 12


def test_different_faults_are_one_reason() -> None:
    faults = (Fault.RATE_LIMITED, Fault.MODEL_NOT_FOUND)
    failures = [Failure(target(name), ProviderError(fault, "No.")) for name, fault in zip("ab", faults, strict=True)]
    assert reason_name(failed(failures, "m").reason) == "providers_unavailable"


def test_a_fault_of_the_request_is_told_whatever_others_had_before() -> None:
    failures = [
        Failure(target("a"), ProviderError(Fault.SERVER, "No.")),
        Failure(target("b"), ProviderError(Fault.CONTEXT_LENGTH, "Too long.", param="messages")),
    ]
    error = failed(failures, "m")
    assert (reason_name(error.reason), error.message) == ("context_length_exceeded", "Too long.")
    assert (error.metadata["param"], error.fields) == ("messages", (("messages", "Too long."),))


def test_every_try_is_told_in_order() -> None:
    failures = [
        Failure(target("a"), ProviderError(Fault.SERVER, "Broken.")),
        Failure(target("b"), ProviderError(Fault.RATE_LIMITED, "Slow down.", retry_after_s=7)),
        Failure(target("a"), ProviderError(Fault.TIMEOUT, "Late.", retry_after_s=3)),
    ]
    error = failed(failures, "m")
    told = orjson.loads(error.metadata.pop("errors"))
    assert [(one["provider"], one["error_type"], one["message"]) for one in told] == [
        ("a", "server_error", "Broken."),
        ("b", "rate_limit_error", "Slow down."),
        ("a", "timeout_error", "Late."),
    ]
    assert error.metadata == {"model": "m", "provider": "a", "attempts": "3", "providers_tried": "a,b"}
    assert error.retry_after_s == 3


@pytest.mark.parametrize("text", ["long " * 400, "長い" * 1000], ids=["ASCII", "Japanese"])
@pytest.mark.parametrize("tries", [1, 2, 8, 40])
def test_of_many_and_long_errors_a_status_has_room_for_the_first_and_the_last(tries: int, text: str) -> None:
    failures = [
        Failure(target(f"p{number}"), ProviderError(Fault.SERVER, f"{number}: {text}", failed_generation=text))
        for number in range(tries)
    ]
    error = failed(failures, "m")
    info = error_details_pb2.ErrorInfo()
    assert to_status(error).details[0].Unpack(info)
    told = orjson.loads(info.metadata["errors"])
    assert (told[0]["provider"], told[-1]["provider"]) == ("p0", f"p{tries - 1}")
    assert all(one["message"].startswith(f"{one['provider'][1:]}: {text[:4]}") for one in told)
    assert all(one["failed_generation"].startswith(text[:4]) for one in told)
    assert info.metadata["attempts"] == str(tries)


def test_of_long_errors_no_key_is_cut() -> None:
    error = ProviderError(Fault.SERVER, "The key is zq9+8w/7e=6r.5t. " * 70)
    told = failed([Failure(target("a"), error)] * 8, "m").metadata["errors"]
    assert "z" not in told.replace("zq9+8w/7e=6r.5t.", "")
    assert "..." in told


def test_a_model_that_no_provider_has_is_the_fault_of_the_model() -> None:
    error = failed([Failure(target(), ProviderError(Fault.MODEL_NOT_FOUND, "No such model."))], "m")
    assert (error.code, error.metadata["param"]) == (grpc.StatusCode.NOT_FOUND, "model")


def test_a_stream_that_broke_off_says_whose_it_was() -> None:
    error = broken(target("a"), ProviderError(Fault.CONNECTION, "Gone."))
    assert (error.metadata["provider"], error.message) == ("a", "The answer broke off: Gone.")


def test_only_those_who_have_the_operation_are_asked() -> None:
    cannot, can = Scripted(operations=frozenset({Operation.EMBEDDINGS})), Scripted()
    assert able([target("a", cannot), target("b", can)], chat(), "m") == [target("b", can)]


def test_an_operation_that_nobody_has_is_not_implemented() -> None:
    cannot = Scripted(operations=frozenset({Operation.EMBEDDINGS}))
    with pytest.raises(GatewayError) as raised:
        able([target("a", cannot)], chat(), "m")
    assert raised.value.code is grpc.StatusCode.UNIMPLEMENTED
    assert raised.value.metadata == {"operation": "chat", "model": "m"}


@pytest.mark.parametrize(
    "caller",
    [Caller("desk", frozenset(), key_id="desk"), Caller("api_keys/desk", frozenset(), "acme", key_id="desk")],
    ids=["configured", "made by RPC"],
)
async def test_trouble_for_one_key_is_for_the_key_of_that_id_wherever_it_is_kept(caller: Caller) -> None:
    chaos = Chaos(SystemClock(), lambda: 0.0)
    faults = [{"type": "reset", "probability": 1, "match": {"key": "desk"}}]
    chaos.configure(ChaosEngineeringSettings.model_validate({"enabled": True, "faults": faults}))
    made, provider = call(), Scripted(ANSWER)
    made.caller = caller
    with pytest.raises(GatewayError):
        async with aclosing(Dispatcher(means(rows(provider), chaos=chaos)).stream(chat(), made)) as batches:
            await anext(batches)
    assert (made.notes["chaos"], provider.asks) == ("configured-1;type=reset;severity=low", [])
