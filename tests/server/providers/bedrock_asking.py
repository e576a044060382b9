"""Writing requests in Converse's form, and having the scripted vendor's rules look at them."""

import json
from collections.abc import Mapping
from typing import cast

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.bedrock.request import vendor_body
from server.providers.errors import Fault, ProviderError
from tests.fakes.bedrock_checks import check_converse
from tests.fakes.http1_request import JsonObject
from tests.server.providers.asking import chat_ask
from trunkline.v1.chat_pb2 import ChatCompletionRequest

OLDER = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEWER = "global.anthropic.claude-opus-4-8"
NOVA = "amazon.nova-2-lite-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"


def written(body: Mapping[str, object], model: str = OLDER, prefix: str = "", **settings: object) -> JsonObject:
    """The vendor's body of a request, after the vendor's own checks."""
    row = ProviderSettings.model_validate({"name": "a", "type": "bedrock", **settings})
    ask = chat_ask(body, model)
    ask.prefix = prefix
    vendors: JsonObject = json.loads(vendor_body(ask, cast(ChatCompletionRequest, ask.request), row))
    check_converse(vendors, model)
    return vendors


def refused(body: Mapping[str, object], model: str = OLDER, **settings: object) -> tuple[Fault, str]:
    with pytest.raises(ProviderError) as raised:
        written(body, model, **settings)  # type: ignore[arg-type]
    return raised.value.fault, raised.value.param
