"""Who is let in, with which key, to do what."""

import hashlib
from collections.abc import Mapping

import pytest

from server.call import Call
from server.caller import ADMIN, ANONYMOUS, COMPLETION, Caller
from server.errors import GatewayError
from server.interceptors.auth import Auth
from server.tenancy.keys import ConfiguredKeys
from tests.server.calls import call
from trunkline.v1.error_reason_pb2 import ErrorReason

ALL, SOME, NONE = "sk-test-everything", "sk-test-completions", "sk-test-nothing"
HOLDERS = {
    ALL: Caller("operator", frozenset({ADMIN, COMPLETION})),
    SOME: Caller("app", frozenset({COMPLETION})),
    NONE: Caller("former", frozenset()),
    "sk-schlüssel": Caller("umlaut", frozenset({COMPLETION})),
}
KEYS = ConfiguredKeys({hashlib.sha256(key.encode()).digest(): caller for key, caller in HOLDERS.items()})
COMPLETE, OPERATE = "/trunkline.v1.CompletionService/CreateChatCompletion", "/trunkline.v1.AdminService/GetConfigStatus"


def enter(metadata: Mapping[str, str | bytes], method: str = COMPLETE) -> Call:
    """The call as the servicer gets it."""
    made = call(method, metadata)
    Auth(KEYS).enter(made)
    return made


def refused(metadata: Mapping[str, str | bytes], method: str = COMPLETE) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        enter(metadata, method)
    return raised.value


@pytest.mark.parametrize(
    "metadata",
    [
        {"authorization": f"Bearer {SOME}"},
        {"authorization": f"bearer {SOME}"},
        {"authorization": f"BEARER   {SOME}  "},
        {"x-api-key": SOME},
        {"x-api-key": f" {SOME} "},
        {"authorization": f"Bearer {SOME}", "x-api-key": "wrong"},
        {"authorization": "Bearer ", "x-api-key": SOME},
        {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": SOME},
        {"authorization": SOME, "x-api-key": SOME},
        {"authorization": b"Bearer x", "x-api-key": SOME},
    ],
    ids=lambda metadata: " ".join(map(str, metadata.values())),
)
def test_a_key_is_taken_from_either_place(metadata: dict[str, str | bytes]) -> None:
    assert enter(metadata).caller == HOLDERS[SOME]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": SOME},
        {"authorization": f"Token {SOME}"},
        {"authorization": f"Bearer{SOME}"},
        {"x-api-key": ""},
        {"x-api-key": "  "},
        {"x-api-key": SOME.encode()},
        {"api-key": SOME},
    ],
    ids=lambda metadata: str(metadata),
)
def test_without_a_key_there_is_no_way_in(metadata: dict[str, str | bytes]) -> None:
    error = refused(metadata)
    assert (error.reason, "No API key" in error.message) == (ErrorReason.ERROR_REASON_INVALID_API_KEY, True)


@pytest.mark.parametrize(
    "key",
    [
        "wrong",
        SOME.upper(),
        SOME[:-1],
        f"{SOME}x",
        f"{SOME} {SOME}",
        "sk-schl\udcfcssel",
        hashlib.sha256(SOME.encode()).hexdigest(),
    ],
)
def test_a_wrong_key_is_no_way_in_and_is_not_repeated(key: str) -> None:
    error = refused({"authorization": f"Bearer {key}", "x-api-key": ALL})
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_API_KEY
    assert key not in f"{error.message} {error.metadata}"


def test_a_key_may_have_any_characters() -> None:
    assert enter({"x-api-key": "sk-schlüssel"}).caller.name == "umlaut"


@pytest.mark.parametrize(
    ("key", "method", "let_in"),
    [
        (ALL, COMPLETE, True),
        (ALL, OPERATE, True),
        (SOME, COMPLETE, True),
        (SOME, OPERATE, False),
        (SOME, "/trunkline.v1.AlertsService/ListAlerts", False),
        (SOME, "/trunkline.v1.ModelsService/ListModels", True),
        (SOME, "/trunkline.v1.MetricsService/ListProviders", True),
        (SOME, "/trunkline.v1.MetricsService/SomethingNew", False),
        (SOME, "/trunkline.v1.CompletionService/SomethingNew", True),
        (SOME, "/somebody.else/Method", False),
        (SOME, "/trunkline.v1.CompletionServiceX/Method", False),
        (SOME, "", False),
        (ALL, "/somebody.else/Method", True),
        (NONE, COMPLETE, False),
        (NONE, OPERATE, False),
    ],
)
def test_a_key_may_do_what_its_roles_say(key: str, method: str, let_in: bool) -> None:
    made = call(method, {"x-api-key": key})
    reason = None
    try:
        Auth(KEYS).enter(made)
    except GatewayError as error:
        reason = error.reason
    assert reason == (None if let_in else ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS)
    assert made.caller == (HOLDERS[key] if let_in else ANONYMOUS)


def test_a_missing_permission_is_named() -> None:
    assert refused({"x-api-key": SOME}, OPERATE).metadata == {"permission": ADMIN}


def test_health_is_for_everyone_and_a_wrong_key_is_not_looked_at() -> None:
    made = enter({"x-api-key": "wrong"}, "/trunkline.v1.MetricsService/GetHealth")
    assert made.caller == ANONYMOUS
