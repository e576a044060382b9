"""Writing requests in Gemini's form, and having the scripted vendor's rules look at them."""

import json
from collections.abc import Mapping

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.errors import Fault, ProviderError
from server.providers.gemini.request import vendor_request
from tests.fakes.gemini_checks import check_generation
from tests.server.providers.asking import chat_ask

OLDER = "gemini-2.5-flash"
NEWER = "gemini-3-flash-preview"
USER = {"role": "user", "content": "Hello"}
HELLO = {"role": "user", "parts": [{"text": "Hello"}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "Tells the weather.", "parameters": SCHEMA}
TOOLS = [{"type": "function", "function": WEATHER}]


def written(body: Mapping[str, object], model: str = OLDER, **settings: object) -> dict[str, object]:
    """The vendor's body of a request, after the vendor's own checks."""
    vendor_body: dict[str, object] = json.loads(asked(body, model, **settings))
    check_generation(vendor_body, model)
    return vendor_body


def asked(body: Mapping[str, object], model: str = OLDER, **settings: object) -> bytes:
    """What is to be posted."""
    row = ProviderSettings.model_validate({"name": "a", "type": "gemini", **settings})
    ask = chat_ask(body, model)
    return vendor_request(ask, ask.request, row)  # type: ignore[arg-type]


def refused(body: Mapping[str, object], model: str = OLDER, **settings: object) -> tuple[Fault, str]:
    with pytest.raises(ProviderError) as raised:
        asked(body, model, **settings)
    return raised.value.fault, raised.value.param
