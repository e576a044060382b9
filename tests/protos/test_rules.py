"""The contract keeps the rules of `buf.yaml`, and takes nothing away that it once released."""

from pathlib import Path

import pytest

from tests.protos.contract import BASELINE, ROOT, buf

CHAT = "protos/trunkline/v1/chat.proto"


def breaking(root: Path, image: Path) -> list[str]:
    """What `buf breaking` says of a checkout's contract; `make protos-release` makes the baseline."""
    built = buf("build", "--exclude-source-info", "-o", image, cwd=root)
    assert built.returncode == 0, built.stdout + built.stderr
    return buf("breaking", image, "--against", BASELINE, "--config", ROOT / "buf.yaml").stdout.splitlines()


def change(root: Path, old: str, new: str) -> None:
    path = root / CHAT
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_contract_keeps_the_rules() -> None:
    linted = buf("lint")
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        pytest.param("string model = 1;", "string Model = 1;", "should be lower_snake_case", id="a field's name"),
        pytest.param(
            "message ToolCall {", "message toolCall {}\n// A call.\nmessage ToolCall {", "PascalCase", id="a message's name"
        ),
        pytest.param("  // The string, when the caller gave one string.\n", "", "non-empty comment", id="no comment"),
        pytest.param("package trunkline.v1;", "package trunkline;", "should be suffixed", id="no version"),
    ],
)
def test_a_broken_rule_is_reported(copy: Path, old: str, new: str, rule: str) -> None:
    change(copy, old, new)
    linted = buf("lint", cwd=copy)
    assert linted.returncode != 0
    assert rule in linted.stdout


def test_a_comment_cannot_turn_a_rule_off(copy: Path) -> None:
    change(copy, "  string model = 1;", "  // buf:lint:ignore FIELD_LOWER_SNAKE_CASE\n  string Model = 1;")
    assert "should be lower_snake_case" in buf("lint", cwd=copy).stdout


def test_nothing_that_was_released_is_taken_away(tmp_path: Path) -> None:
    assert breaking(ROOT, tmp_path / "now.binpb") == []


@pytest.mark.parametrize(
    ("old", "new", "report"),
    [
        pytest.param("  string model = 1;", "", 'field "1" with name "model"', id="a field is removed"),
        pytest.param("  string model = 1;", "  int32 model = 1;", "changed type", id="a type changes"),
        pytest.param(
            "  string model = 1;", "  string model_name = 1;", "changed", id="a name changes, and with it the JSON"
        ),
    ],
)
def test_a_change_that_breaks_callers_is_reported(copy: Path, tmp_path: Path, old: str, new: str, report: str) -> None:
    change(copy, old, new)
    said = breaking(copy, tmp_path / "now.binpb")
    assert any(report in line and CHAT.removeprefix("protos/") in line for line in said), said


def test_a_new_field_breaks_nobody(copy: Path, tmp_path: Path) -> None:
    change(copy, "  string model = 1;", "  string model = 1;\n\n  // New.\n  optional string brand_new = 60;")
    assert breaking(copy, tmp_path / "now.binpb") == []


def test_the_baseline_carries_no_source_info() -> None:
    assert b"OpenAI's" not in BASELINE.read_bytes()
