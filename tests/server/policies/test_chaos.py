"""Which attempts are hit, and how faults come and go."""

from datetime import UTC, datetime
from random import Random

import pytest
from pydantic import ValidationError

from server.config.schema import ChaosEngineeringSettings
from server.errors import GatewayError, reason_name
from server.policies.chaos import Chaos
from tests.server.policies.chaos_stage import START, TurnedClock, Vendor, answer, chaos, chat, fault, says

ANSWER = [says("a")]


def hit(made: Chaos, provider: str = "p", model: str = "m", caller: str = "app") -> str:
    """The id of the fault that hits an attempt; empty where none does."""
    _, told = made.stream(provider, chat(model), caller, Vendor(ANSWER).stream)
    return told.partition(";")[0]


def refused(made: Chaos, fault_id: str, **settings: object) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        made.create(fault("reset", **settings), fault_id)
    return raised.value


async def test_without_faults_nothing_is_armed_and_the_provider_answers_itself() -> None:
    made, vendor = Chaos(TurnedClock(), lambda: 0.0), Vendor(ANSWER)
    assert not made.armed
    assert await answer(made, vendor) == (ANSWER, None, "")


def test_configured_faults_hit_only_where_they_are_enabled() -> None:
    assert chaos(fault("reset")).armed
    made = chaos(fault("reset"), enabled=False)
    assert (made.armed, hit(made)) == (False, "")
    assert [(known.id, known.active, known.configured) for known in made.faults()] == [("configured-1", False, True)]


def test_a_fault_made_while_running_hits_whatever_the_configuration_says() -> None:
    made = chaos(fault("reset"), enabled=False)
    created = made.create(fault("cut_stream", severity="high"))
    assert (made.armed, created.told) == (True, "cut-stream-1;type=cut_stream;severity=high")
    assert hit(made) == "cut-stream-1"


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        pytest.param({}, True, id="anything"),
        pytest.param({"provider": "openai-eu"}, True, id="the provider"),
        pytest.param({"provider": "openai"}, False, id="a part of the provider"),
        pytest.param({"provider": "openai*"}, True, id="the provider's pattern"),
        pytest.param({"provider": "OpenAI*"}, False, id="another case"),
        pytest.param({"model": "gpt-*"}, True, id="the model's pattern"),
        pytest.param({"model": "claude*"}, False, id="another model"),
        pytest.param({"key": "batch"}, True, id="the key"),
        pytest.param({"key": "web"}, False, id="another key"),
        pytest.param({"provider": "openai*", "model": "gpt-5", "key": "b*"}, True, id="all three"),
        pytest.param({"provider": "openai*", "model": "gpt-5", "key": "web"}, False, id="two of three"),
    ],
)
def test_a_fault_hits_what_its_match_names(match: dict[str, str], hits: bool) -> None:
    made = chaos(fault("reset", match=match))
    assert hit(made, "openai-eu", "gpt-5", "batch") == ("configured-1" if hits else "")


@pytest.mark.parametrize(
    ("probability", "drawn", "hits"), [(0, 0.0, False), (1, 0.999, True), (0.3, 0.3, False), (0.3, 0.29, True)]
)
def test_a_draw_below_the_probability_hits(probability: float, drawn: float, hits: bool) -> None:
    assert bool(hit(chaos(fault("reset", probability=probability), random=lambda: drawn))) == hits


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.9])
def test_so_many_attempts_are_hit_as_the_probability_says(probability: float) -> None:
    made = chaos(fault("reset", probability=probability), random=Random(7).random)
    hits = sum(bool(hit(made)) for _ in range(4000))
    assert abs(hits / 4000 - probability) < 0.02
    assert made.faults()[0].hit_count == hits


@pytest.mark.parametrize(
    ("percentage", "hits"), [(25, "...x...x...x"), (50, ".x.x.x.x.x.x"), (75, ".xxx.xxx.xxx"), (100, "x" * 12)]
)
def test_a_percentage_is_counted(percentage: float, hits: str) -> None:
    made = chaos(fault("reset", match={"percentage": percentage}))
    assert "".join("x" if hit(made) else "." for _ in range(12)) == hits


def test_a_percentage_counts_what_the_names_fit() -> None:
    made = chaos(fault("reset", match={"key": "batch", "percentage": 50}))
    assert [hit(made, caller=caller) for caller in ("batch", "web", "web", "batch")] == ["", "", "", "configured-1"]
    assert (made.faults()[0].match_count, made.faults()[0].hit_count) == (2, 1)


def test_the_first_fault_that_hits_is_the_only_one() -> None:
    draws = iter([0.9, 0.1, 0.1])
    made = chaos(fault("delay", probability=0.5), fault("reset", probability=0.5), random=lambda: next(draws))
    made.create(fault("error"))
    assert [hit(made), hit(made)] == ["configured-2", "configured-1"]
    assert [known.hit_count for known in made.faults()] == [1, 1, 0]


def test_a_fault_expires_by_itself() -> None:
    clock = TurnedClock()
    made = chaos(clock=clock)
    after = made.create(fault("reset", expire_after=60))
    until = made.create(fault("error", expire_time=datetime.fromtimestamp(START + 90, UTC)))
    assert (after.expire_time, until.expire_time) == (START + 60, START + 90)
    clock.time = START + 59.9
    assert hit(made) == "reset-1"
    clock.time = START + 60
    assert (hit(made), made.armed) == ("error-2", True)
    clock.time = START + 90
    assert (hit(made), made.armed, made.faults()) == ("", False, ())


def test_a_configured_fault_expires_as_well() -> None:
    clock = TurnedClock()
    made = chaos(fault("reset", expire_after=60), clock=clock)
    clock.time += 61
    assert (hit(made), made.armed) == ("", False)


def test_a_deleted_fault_hits_no_more() -> None:
    made = chaos(fault("reset"))
    made.delete("configured-1")
    assert (made.armed, hit(made)) == (False, "")
    with pytest.raises(GatewayError) as raised:
        made.delete("configured-1")
    assert (reason_name(raised.value.reason), raised.value.metadata) == (
        "resource_not_found",
        {"name": "faults/configured-1"},
    )


def test_a_new_configuration_keeps_what_was_made_while_running() -> None:
    made = chaos(fault("reset"), fault("error"))
    made.create(fault("delay"), "mine")
    made.configure(ChaosEngineeringSettings(enabled=True, faults=(fault("stall"),)))
    assert [(known.id, known.settings.type) for known in made.faults()] == [("configured-1", "stall"), ("mine", "delay")]
    made.configure(None)
    assert [known.id for known in made.faults()] == ["mine"]


def test_an_id_is_taken_once() -> None:
    made = chaos()
    made.create(fault("reset"), "reset-1")
    assert reason_name(refused(made, "reset-1").reason) == "already_exists"
    assert made.create(fault("reset")).id == "reset-2"
    made.delete("reset-1")
    assert made.create(fault("reset"), "reset-1").id == "reset-1"


def test_what_cannot_be_made_is_refused_with_its_field() -> None:
    made = chaos()
    assert refused(made, "configured-9").metadata == {"param": "fault_id"}
    assert refused(made, "", expire_time=datetime.fromtimestamp(START, UTC)).metadata == {"param": "expire_time"}


def test_there_are_at_most_a_hundred() -> None:
    made = chaos()
    for _ in range(100):
        made.create(fault("reset"))
    assert reason_name(refused(made, "").reason) == "invalid_request"


def test_a_fault_has_one_end() -> None:
    with pytest.raises(ValidationError, match="not both"):
        fault("reset", expire_after=1, expire_time="2030-01-01T00:00:00Z")
