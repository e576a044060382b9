"""Writing requests in Anthropic's form, and having the scripted vendor's rules look at them."""

import json
from collections.abc import Mapping

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.anthropic.request import VendorRequest, vendor_request
from server.providers.errors import Fault, ProviderError
from tests.fakes.anthropic_checks import check_messages
from tests.server.providers.asking import chat_ask

OLDER = "claude-sonnet-4-5-20250929"
NEWER = "claude-opus-4-8"
NEWEST = "claude-opus-5-5"
USER = {"role": "user", "content": "Hello"}
HELLO = {"role": "user", "content": [{"type": "text", "text": "Hello"}]}
MARK = {"type": "ephemeral"}
WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOLS = [{"type": "function", "function": WEATHER}]


def written(body: Mapping[str, object], model: str = OLDER, **settings: object) -> tuple[dict[str, object], str]:
    """The vendor's body and version of a request, after the vendor's own checks."""
    request = asked(body, model, **settings)
    vendor_body: dict[str, object] = json.loads(request.body)
    check_messages(vendor_body, request.version, "", counting=False)
    return vendor_body, request.version


def asked(body: Mapping[str, object], model: str = OLDER, **settings: object) -> VendorRequest:
    """What is to be posted; `streamed` among the settings asks for a stream."""
    streamed = bool(settings.pop("streamed", False))
    row = ProviderSettings.model_validate({"name": "a", "type": "anthropic", **settings})
    ask = chat_ask(body, model, streamed)
    return vendor_request(ask, ask.request, row)  # type: ignore[arg-type]


def refused(body: Mapping[str, object], model: str = OLDER, **settings: object) -> tuple[Fault, str]:
    with pytest.raises(ProviderError) as raised:
        asked(body, model, **settings)
    return raised.value.fault, raised.value.param
