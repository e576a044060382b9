"""What Bedrock's Converse refuses in a request.

The shape of the body is checked by the vendor's own model of its API, which botocore brings along; rules that the model does
not tell are from https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html (2026-11).
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from botocore.model import Shape
from botocore.session import Session
from botocore.validate import ParamValidator

from tests.fakes import anthropic_checks
from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
NAME = re.compile(r"[a-zA-Z0-9()\[\]-]+( [a-zA-Z0-9()\[\]-]+)*")
FORMATS = {
    "image": {"png", "jpeg", "gif", "webp"},
    "document": {"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"},
}


def refuse(message: str) -> Refused:
    return Refused(VendorError(400, message, "ValidationException"))


def check_converse(body: JsonObject, model: str) -> None:
    """Refuses a body for `converse` that the vendor would refuse."""
    report = ParamValidator().validate({**body, "modelId": model}, _shape())
    if report.has_errors():
        raise refuse(report.generate_report())
    messages = body.get("messages", [])
    if not messages or messages[0]["role"] != "user":
        raise refuse("A conversation must start with a user message. Try again with a conversation that does.")
    for one, other in pairwise(messages):
        if one["role"] == other["role"]:
            raise refuse("A conversation must alternate between user and assistant roles.")
    for message in messages:
        _check_message(message)
    names = [block["document"]["name"] for block in _blocks(messages) if "document" in block]
    if len(set(names)) < len(names):
        raise refuse("The messages contain duplicate document names.")
    _check_calls(messages, body)
    _check_model(body, model)


@cache
def _shape() -> Shape:
    shape: Shape = Session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
    return shape


def _blocks(messages: Sequence[JsonObject]) -> Iterator[JsonObject]:
    for message in messages:
        yield from message["content"]


def _check_message(message: JsonObject) -> None:
    content = message["content"]
    if not content:
        raise refuse("The content field in the Message object is empty.")
    for block in content:
        if "text" in block and not block["text"].strip():
            raise refuse("The text field in the ContentBlock object is blank.")
        if message["role"] == "user" and ({"toolUse", "reasoningContent"} & set(block)):
            raise refuse("A user's message has content that only the assistant's may have.")
        for kind, formats in FORMATS.items():
            if kind in block and block[kind].get("format") not in formats:
                raise refuse(f"{kind}: failed to satisfy enum value set")
            if kind in block and "bytes" in block[kind]["source"]:
                _check_base64(block[kind]["source"]["bytes"])
        if "document" in block and not NAME.fullmatch(block["document"]["name"]):
            raise refuse("The document file name can only contain alphanumeric characters and a few others.")
    if any("document" in block for block in content) and not any("text" in block for block in content):
        raise refuse("Documents need a text block beside them.")


def _check_base64(encoded: str) -> None:
    try:
        base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise refuse("The blob is not base64.") from None


def _check_calls(messages: Sequence[JsonObject], body: JsonObject) -> None:
    called: list[str] = []
    for message in messages:
        results = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if sorted(results) != sorted(called):
            raise refuse("Expected toolResult blocks for the toolUse blocks of the previous turn, and no others.")
        if any("toolResult" not in block for block in message["content"][: len(results)]):
            raise refuse("toolResult blocks must come first.")
        called = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        if any("toolUse" not in block for block in message["content"][len(message["content"]) - len(called) :]):
            raise refuse("toolUse blocks must come last.")
        if not all(TOOL_USE_ID.fullmatch(identifier) for identifier in called):
            raise refuse("toolUseId: must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+")
    if called:
        raise refuse("Expected toolResult blocks after toolUse blocks.")
    if "toolConfig" not in body and any({"toolUse", "toolResult"} & set(block) for block in _blocks(messages)):
        raise refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.")


def _check_model(body: JsonObject, model: str) -> None:
    """What Claude refuses beneath."""
    claude = model[model.find("claude") :] if "claude" in model else ""
    limits, own = body.get("inferenceConfig", {}), body.get("additionalModelRequestFields", {})
    if anthropic_checks.FIXED_SAMPLING.match(claude) and {"temperature", "topP"} & set(limits):
        raise refuse("The model returned the following errors: `temperature` is deprecated for this model.")
    thinking = own.get("thinking", {})
    if thinking.get("type") == "enabled" and thinking["budget_tokens"] >= limits.get("maxTokens", 1 << 30):
        raise refuse("The model returned the following errors: `max_tokens` must be greater than the budget.")
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return
    if anthropic_checks.NO_PREFILL.match(claude):
        raise refuse("The model returned the following errors: This model does not support assistant message prefill.")
    text = last["content"][-1].get("text", "")
    if text != text.rstrip():
        raise refuse("The model returned the following errors: final assistant content cannot end with trailing whitespace")
