"""Whatever a file holds, it loads or is refused with a ConfigError."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.config import ConfigError, load
from server.config.known_keys import schema_levels
from server.config.schema import Settings

KNOWN = sorted({key for _, keys in schema_levels(Settings, ()) for key in keys} | {"sha256", "digest", "<<"})
EXAMPLE = yaml.safe_load((Path(__file__).parent / "data" / "nested.yaml").read_text())
ANY_TEXT = st.text(max_size=20) | st.sampled_from(
    ["${X}", "${Y:-z}", "$${", "${", "echo", "openai", "cohere", "off", "http://["]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | ANY_TEXT
    | st.dates()
    | st.binary(max_size=4)
)
KEYS = st.sampled_from(KNOWN) | ANY_TEXT | st.integers(0, 3) | st.none()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=25
)
QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def attempt(tmp_path, kinds):
    def attempted(content):
        file = tmp_path / "config.yaml"
        file.write_bytes(content)
        with suppress(ConfigError):
            load(file, {"X": "from outside"}, kinds)

    return attempted


def dumped(value):
    return yaml.dump(value, Dumper=yaml.SafeDumper, allow_unicode=True).encode("utf-8", "surrogatepass")


@QUIET
@given(value=VALUES)
def test_any_value_loads_or_is_refused(value, attempt):
    attempt(dumped(value))


@QUIET
@given(value=VALUES, section=st.sampled_from(sorted(Settings.model_fields)))
def test_any_value_in_any_section_loads_or_is_refused(value, section, attempt):
    attempt(dumped({section: value}))


@QUIET
@given(data=st.data())
def test_the_example_with_anything_in_it_loads_or_is_refused(data, attempt):
    example = yaml.safe_load(dumped(EXAMPLE))
    level = example
    while True:
        key = data.draw(st.sampled_from(sorted(level)) if isinstance(level, dict) else st.integers(0, len(level) - 1))
        if not isinstance(level[key], dict | list) or not level[key] or data.draw(st.booleans()):
            break
        level = level[key]
    level[key] = data.draw(VALUES)
    attempt(dumped(example))


@QUIET
@given(content=st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,?\n\t <$\\0", max_size=80).map(str.encode))
def test_any_bytes_load_or_are_refused(content, attempt):
    attempt(content)
