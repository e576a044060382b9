"""The benchmark harness is right about answers; what it says about time is not tested."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from benchmarks import answers, callers, load_grpc, load_rest, measure, overload, programs, provider, report, verdicts
from benchmarks.load_rest import STREAM, UNARY, Expectation, WrongAnswer
from benchmarks.process import NotStarted, Program, Running, started

ANYWHERE: frozenset[int] = frozenset()
MODES = [
    pytest.param(answers.UNARY_MODEL, UNARY, id="unary"),
    pytest.param(answers.BURST_MODEL, STREAM, id="stream-at-once"),
    pytest.param(answers.PACED_MODEL, STREAM, id="stream-paced"),
]


@pytest.fixture
async def provider_port() -> AsyncIterator[int]:
    server = await provider.serve(port=0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
def floor(provider_port: int, tmp_path: Path) -> Iterator[Running]:
    with started(programs.floor(provider_port), ANYWHERE, tmp_path / "floor") as running:
        yield running


@pytest.fixture
def floor_grpc(provider_port: int, tmp_path: Path) -> Iterator[Running]:
    with started(programs.floor_grpc(provider_port), ANYWHERE, tmp_path / "floor-grpc") as running:
        yield running


@pytest.mark.parametrize(("model", "expectation"), MODES)
async def test_the_provider_answers_each_mode(provider_port: int, model: str, expectation: Expectation) -> None:
    request = load_rest.chat_request(model, expectation.stream)
    load = await load_rest.load(provider_port, request, expectation, requests=6, concurrency=3)
    assert len(load.latencies_s) == 6


async def test_a_stream_asked_for_as_another_mode_is_a_wrong_answer(provider_port: int) -> None:
    request = load_rest.chat_request(answers.BURST_MODEL, stream=True)
    with pytest.raises(WrongAnswer, match="one JSON object"):
        await load_rest.load(provider_port, request, UNARY, requests=1, concurrency=1)


async def test_an_error_status_is_a_wrong_answer(provider_port: int) -> None:
    request = load_rest.chat_request("bench-unknown", stream=False)
    with pytest.raises(WrongAnswer, match="status is not 200"):
        await load_rest.load(provider_port, request, UNARY, requests=1, concurrency=1)


async def test_a_stream_without_all_its_chunks_is_a_wrong_answer(provider_port: int) -> None:
    request = load_rest.chat_request(answers.BURST_MODEL, stream=True)
    more = Expectation(stream=True, mark=answers.CHUNK_MARK, mark_count=answers.TEXT_CHUNK_COUNT + 1)
    with pytest.raises(WrongAnswer, match="62 times instead of 63"):
        await load_rest.load(provider_port, request, more, requests=1, concurrency=1)


@pytest.mark.parametrize(
    "framed",
    [b"", b"5\r\nhello\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\nmore", b"x\r\n0\r\n\r\n"],
    ids=["nothing", "no-end", "longer-than-said", "more-after-the-end", "not-a-size"],
)
def test_a_body_whose_frames_are_wrong_is_not_unframed(framed: bytes) -> None:
    assert load_rest.unframed(framed) is None


def test_frames_are_joined_to_their_data() -> None:
    assert load_rest.unframed(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n") == b"hello!"


def test_the_unary_answer_has_the_size_it_is_said_to_have() -> None:
    assert len(answers.unary_body()) == answers.UNARY_BODY_BYTES
    assert orjson.loads(answers.unary_body())["object"] == "chat.completion"


@pytest.mark.parametrize(("model", "expectation"), MODES)
async def test_the_floor_forwards_each_mode(floor: Running, model: str, expectation: Expectation) -> None:
    await floor.wait_for_answer()
    request = load_rest.chat_request(model, expectation.stream)
    load = await load_rest.load(floor.program.port, request, expectation, requests=6, concurrency=3)
    assert len(load.latencies_s) == 6
    assert floor.cpu_s() > 0
    assert floor.rss_bytes() > 0


@pytest.mark.parametrize(("model", "expectation"), MODES)
async def test_the_grpc_floor_forwards_each_mode(floor_grpc: Running, model: str, expectation: Expectation) -> None:
    await floor_grpc.wait_for_grpc()
    port = floor_grpc.program.grpc_port
    load = await load_grpc.load(port, model, expectation.stream, requests=6, concurrency=3)
    assert len(load.latencies_s) == 6


async def test_a_program_that_ends_at_once_is_reported_with_what_it_printed(tmp_path: Path) -> None:
    program = Program("broken", (sys.executable, "-c", "print('no such setting'); raise SystemExit(3)"), port=1)
    with (
        pytest.raises(NotStarted, match="broken ended with 3: it printed: no such setting"),
        started(program, ANYWHERE, tmp_path / "broken") as running,
    ):
        await running.wait_for_answer()


def test_the_gateway_is_judged_by_the_ratio_within_each_round() -> None:
    cpu_us = {"floor": [100.0, 200.0, 100.0], "gateway": [150.0, 340.0, 150.0]}
    samples = [
        measure.Sample("rest", "unary c=16", name, number, 10, 0, 1.0, each, 1.0, 1.0)
        for name, values in cpu_us.items()
        for number, each in enumerate(values, start=1)
    ]
    results = verdicts.Results(samples)
    judged = {each.what: each for each in verdicts.judge(results)}
    assert judged["rest: CPU per small unstreamed request, c=16"].measured == "1.50 x (1.50 to 1.70)"
    assert judged["rest: CPU per small unstreamed request, c=16"].verdict == verdicts.HELD
    assert judged["rest: CPU per small unstreamed request, c=64"].verdict == verdicts.NOT_MEASURED
    assert "1.50 x" in report.text(results, list(judged.values()), [])


def test_a_limit_that_is_passed_is_missed() -> None:
    results = verdicts.Results(
        memories=[measure.Memory("gateway", idle_mb=100.1, held_mb=160.0, after_mb=111.0, after_s=60.0)],
        starts=[measure.Start("gateway", 1, 2.5)],
    )
    judged = {each.what: each.verdict for each in verdicts.judge(results)}
    assert judged["memory: idle"] == verdicts.MISSED
    assert judged["memory: more with 1000 slow streams"] == verdicts.HELD
    assert judged["memory: over idle, 60 s after they ended"] == verdicts.MISSED
    assert judged["start: to the first answer"] == verdicts.MISSED


def test_starts_that_failed_do_not_drop_out_of_the_median() -> None:
    results = verdicts.Results(starts=[measure.Start("gateway", 1, 0.5), measure.Start("gateway", 2, None)])
    judged = {each.what: each for each in verdicts.judge(results)}
    assert judged["start: to the first answer"].verdict == verdicts.MISSED
    assert judged["start: to the first answer"].measured == "1 of 2 failed"


def _overload(seconds: float = 30.0, recovered_s: float | None = 0.5) -> overload.Overload:
    return overload.Overload(
        seconds=seconds,
        status=503,
        peak_per_s=100.0,
        good_per_s=88.0,
        answered_p50_ms=250.0,
        answered_p99_ms=260.0,
        sent=9000,
        away=6360,
        without_hint=0,
        lost=0,
        provider_refused=50,
        away_p50_ms=1.0,
        away_p99_ms=60.0,
        inside_p50_ms=0.1,
        inside_p99_ms=0.4,
        late_p99_ms=4.0,
        waiting=0.3,
        own_waiting=0.2,
        before_mb=100.0,
        first_mb=110.0,
        second_mb=111.0,
        after_mb=111.0,
        recovered_s=recovered_s,
    )


def test_an_overload_is_judged_by_what_callers_and_the_gateway_see() -> None:
    results = verdicts.Results(overloads=[_overload()])
    found = [each for each in verdicts.judge(results) if each.part == "overload"]
    assert [each.measured for each in found] == ["88%", "60.0 ms", "0.4 ms", "0", "+0.9%", "0.5 s"]
    assert [each.verdict for each in found] == [verdicts.HELD, verdicts.MISSED] + [verdicts.HELD] * 4
    assert "88% of the peak" in report.text(results, found, [])


def test_an_overload_after_which_nothing_is_answered_is_a_miss() -> None:
    found = verdicts.judge(verdicts.Results(overloads=[_overload(recovered_s=None)]))
    assert (found[-1].measured, found[-1].verdict) == ("never", verdicts.MISSED)


def test_a_short_overload_is_shown_and_not_judged() -> None:
    found = verdicts.judge(verdicts.Results(overloads=[_overload(seconds=5)]))
    assert (found[-1].measured, found[-1].verdict) == ("0.5 s in 5 s", verdicts.NOT_MEASURED)


def test_recovery_is_the_first_window_in_which_nearly_all_are_answered() -> None:
    done = [callers.Done(at / 10, 0.0, 0.0, 200 if at >= 10 else 503) for at in range(20)]
    assert callers.recovered_s(done, 0.0, 2.0, 0.5, 0.98) == 1.0
    assert callers.recovered_s(done[:10], 0.0, 2.0, 0.5, 0.98) is None
