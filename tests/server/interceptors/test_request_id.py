"""Every call has a request id, the caller's own where it is a plain one."""

import re

import pytest

from server.call import Call
from server.interceptors.request_id import RequestId
from tests.server.calls import call


def named(given: str | bytes | None) -> Call:
    made = call(metadata={} if given is None else {"x-request-id": given})
    made.request_id = ""
    RequestId().enter(made)
    return made


@pytest.mark.parametrize("given", ["a", "req_1-2.3:4/5+6=", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "x" * 128])
def test_a_plain_id_of_the_caller_is_kept(given: str) -> None:
    assert named(given).request_id == given


@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", "a\n", "\na", "é", "<script>", 'a"b', "a,b", b"bytes", "%0d%0a", "a\x00"]
)
def test_anything_else_is_replaced(given: str | bytes | None) -> None:
    assert re.fullmatch(r"req_[0-9a-f]{24}", named(given).request_id)


def test_no_two_calls_have_the_same() -> None:
    assert len({named(None).request_id for _ in range(100)}) == 100


def test_the_id_goes_out_with_the_status() -> None:
    assert named("mine").trailers == [("x-request-id", "mine")]
