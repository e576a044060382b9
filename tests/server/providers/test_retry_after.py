"""When a vendor says to come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.providers.retry_after import retry_after_s

NOW = 1_794_000_000.0  # Fri, 06 Nov 2026 21:20:00 GMT
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 3 "}, 3.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "Fri, 06 Nov 2026 21:20:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 06 Nov 2026 21:19:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 06 Nov 2026 22:20:30 +0100"}, 30.0),
        ({"retry-after": "99999999"}, DAY_S),
        ({"retry-after-ms": "9" * 20}, DAY_S),
        ({"retry-after": "Fri, 06 Nov 2099 21:20:00 GMT"}, DAY_S),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "9" * 40}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 -0000"}, 0.0),
        ({"retry-after": f"Fri, 06 Nov {'9' * 20} 21:20:00 GMT"}, None),
        ({"retry-after": f"Fri, 06 Nov 2026 21:20:00 +{'9' * 20}"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, DAY_S),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_hint_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


DATES = st.builds(
    "{}, {:02d} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Fri", "x"]),
    st.integers(0, 40),
    st.sampled_from(["Nov", "Xxx"]),
    st.integers(0, 99999),
    st.integers(0, 30),
    st.integers(0, 70),
    st.integers(0, 70),
    st.sampled_from(["GMT", "-0000", "+9999", "-2400", "XYZ", ""]),
)


@given(st.text(max_size=40) | DATES | st.from_regex(r"[0-9.\-+e]{0,25}", fullmatch=True), st.sampled_from(["", "-ms"]))
def test_whatever_is_said_is_between_now_and_a_day_or_nothing(said: str, unit: str) -> None:
    seconds = retry_after_s({f"retry-after{unit}": said}, NOW)
    assert seconds is None or 0 <= seconds <= DAY_S
