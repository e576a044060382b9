"""A key may ask for the models and providers that its patterns fit."""

import pytest

from server.caller import Caller
from server.errors import GatewayError
from server.tenancy.allowances import may_use, may_use_provider, require_model, require_provider
from trunkline.v1.error_reason_pb2 import ErrorReason

FREE = Caller("free", frozenset())
BOUND = Caller("bound", frozenset(), models=("gpt-4o*", "claude", "meta/*"), providers=("openai", "azure-*"))


@pytest.mark.parametrize(
    ("model", "resolved", "allowed"),
    [
        ("gpt-4o", "", True),
        ("gpt-4o-mini", "", True),
        ("gpt-5", "", False),
        ("claude", "", True),
        ("claude-5", "", False),
        ("Claude", "", False),
        ("openai/gpt-4o", "", False),
        ("meta/llama/4", "", True),
        ("fast", "gpt-4o-mini", True),
        ("claude", "gpt-5", True),
        ("fast", "gpt-5", False),
        ("", "", False),
    ],
)
def test_a_model_is_allowed_by_its_name_or_by_the_one_it_stands_for(model: str, resolved: str, allowed: bool) -> None:
    assert may_use(BOUND, model, resolved) == allowed
    assert may_use(FREE, model, resolved)


@pytest.mark.parametrize(("provider", "allowed"), [("openai", True), ("azure-eu", True), ("azure", False), ("echo", False)])
def test_a_provider_is_allowed_by_its_name(provider: str, allowed: bool) -> None:
    assert may_use_provider(BOUND, provider) == allowed
    assert may_use_provider(FREE, provider)


def test_what_is_not_allowed_is_refused_with_the_models_name() -> None:
    require_model(BOUND, "gpt-4o")
    require_provider(BOUND, "gpt-4o", ["echo", "openai"])
    require_provider(FREE, "gpt-4o", [])
    with pytest.raises(GatewayError) as raised:
        require_model(BOUND, "gpt-5")
    assert raised.value.reason == ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS
    assert raised.value.metadata == {"permission": "completion", "model": "gpt-5"}
    with pytest.raises(GatewayError) as raised:
        require_provider(BOUND, "gpt-4o", ["echo"])
    assert raised.value.metadata == {"permission": "completion", "model": "gpt-4o"}
