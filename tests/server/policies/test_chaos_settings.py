"""Faults as a configuration file writes them."""

from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from server.config import ConfigError, load
from server.config.schema import ChaosEngineeringSettings, FaultMatchSettings
from server.policies.chaos import Chaos
from tests.server.policies.chaos_stage import TurnedClock


def loaded(folder: Path, text: str) -> ChaosEngineeringSettings:
    """The section, read from a file."""
    file = folder / "config.yaml"
    file.write_text(dedent(text))
    section = load(file, {}, ()).settings.chaos_engineering
    assert section is not None
    return section


def test_a_fault_has_all_its_fields_in_a_file(tmp_path: Path) -> None:
    section = loaded(
        tmp_path,
        """\
        chaos_engineering:
          enabled: true
          faults:
            - type: stall
              severity: high
              probability: 0.5
              after_chunks: 3
              match: {provider: "openai*", model: gpt-5, key: batch, percentage: 25}
              expire_time: 2999-01-01T00:00:00Z
            - type: reset
              expire_after: 90
        """,
    )
    stall, reset = section.faults
    assert (stall.after_chunks, stall.expire_time) == (3, datetime(2999, 1, 1, tzinfo=UTC))
    assert stall.match == FaultMatchSettings(provider="openai*", model="gpt-5", key="batch", percentage=25)
    assert (reset.expire_after, reset.match, reset.probability) == (90, FaultMatchSettings(), 0.1)
    clock = TurnedClock()
    made = Chaos(clock, lambda: 0.5, clock.sleep)
    made.configure(section)
    assert (made.armed, len(made.faults())) == (True, 2)


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        ("{type: flood}", "type"),
        ("{type: reset, after_chunks: -1}", "after_chunks"),
        ("{type: reset, match: {percentage: 0}}", "match.percentage"),
        ("{type: reset, match: {key: 'sk a'}}", "match.key"),
        ("{type: reset, match: {colour: red}}", "match.colour"),
        ("{type: reset, expire_time: 2030-01-01}", "expire_time"),
    ],
)
def test_a_fault_that_makes_no_sense_is_told_with_its_place(tmp_path: Path, fault: str, path: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, f"chaos_engineering:\n  faults:\n    - {fault}\n")
    assert [(each.line, each.path) for each in raised.value.faults] == [(3, f"chaos_engineering.faults[0].{path}")]


def test_a_fault_with_two_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        loaded(
            tmp_path,
            "chaos_engineering: {faults: [{type: reset, expire_after: 1, expire_time: '2999-01-01T00:00:00Z'}]}",
        )
