"""What every servicer checks of a request, whoever sends it."""

import re
from collections.abc import Mapping

from google.protobuf.message import Message as ProtoMessage

from server.errors import invalid_request
from server.services.extra import check_extra
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message, StringOrList
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest, TextInput, VideoRequest
from trunkline_json import CHAT_REQUEST, EMBEDDING_REQUEST, IMAGE_REQUEST, TEXT_REQUEST, VIDEO_REQUEST

MOST_MESSAGES = 100_000
"""How many messages a conversation may have, as with vendors that say how many: each takes time from all other requests.
Source: https://docs.anthropic.com/en/api/messages (2026-11)."""

MOST_STOPS = 8191
"""How many stop sequences a request may have. No vendor is known to take more; most take a handful."""

_MODEL = re.compile(r"[A-Za-z0-9._:@+/-]{1,200}")
_ROLES = frozenset({"developer", "system", "user", "assistant", "tool", "function"})
_ROLES_WITH_CONTENT = frozenset({"developer", "system", "user", "tool"})

Ranges = Mapping[str, tuple[float, float]]
"""By field, the least and the greatest value."""

_TEXT_RANGES: Ranges = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "n": (1, 128),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_CHAT_RANGES: Ranges = {
    **_TEXT_RANGES,
    "max_tokens": (1, 2**31 - 1),
    "max_completion_tokens": (1, 2**31 - 1),
    "top_logprobs": (0, 20),
}
_COMPLETION_RANGES: Ranges = {**_TEXT_RANGES, "max_tokens": (0, 2**31 - 1), "logprobs": (0, 5), "best_of": (1, 20)}
_EMBEDDING_RANGES: Ranges = {"dimensions": (1, 100_000)}
_IMAGE_RANGES: Ranges = {"n": (1, 10), "output_compression": (0, 100)}
_VIDEO_RANGES: Ranges = {"n": (1, 10), "seconds": (0, 600)}


def check_model(model: str, param: str = "model") -> None:
    """Checks a model's name, which logs and errors repeat.

    Raises:
        GatewayError: INVALID_REQUEST, with the field at fault.
    """
    if not model:
        raise invalid_request(f"`{param}` is missing.", param)
    if not _MODEL.fullmatch(model) or ".." in model:
        raise invalid_request(
            f"`{param}` may have letters, digits and `-_./:@+`, no `..`, and at most 200 characters.", param
        )


def check_chat(request: ChatCompletionRequest) -> None:
    """Checks a chat request.

    Raises:
        GatewayError: INVALID_REQUEST, with the field at fault.
    """
    check_model(request.model)
    if not request.messages:
        raise invalid_request("`messages` must have at least one message.", "messages")
    if len(request.messages) > MOST_MESSAGES:
        raise invalid_request(f"`messages` must have at most {MOST_MESSAGES} messages.", "messages")
    for index, message in enumerate(request.messages[:]):
        if message.role not in _ROLES:
            _refuse_role(message, index)
        if message.role in _ROLES_WITH_CONTENT and not message.HasField("content") and not message.content_parts:
            raise invalid_request(
                f"`messages[{index}].content` is missing; a message of the role `{message.role}` must have it.",
                f"messages[{index}].content",
            )
    _check_stop(request.stop)
    _check_ranges(request, _CHAT_RANGES)
    if request.logit_bias:
        _check_bias(request.logit_bias.items())
    check_extra(request.extra_json, CHAT_REQUEST)


def check_text(request: TextCompletionRequest) -> None:
    """Checks a text request, as `check_chat` does."""
    check_model(request.model)
    _check_input(request.prompt, "prompt")
    _check_stop(request.stop)
    _check_ranges(request, _COMPLETION_RANGES)
    _check_bias(request.logit_bias.items())
    check_extra(request.extra_json, TEXT_REQUEST)


def check_embedding(request: EmbeddingRequest) -> None:
    """Checks an embedding request, as `check_chat` does."""
    check_model(request.model)
    _check_input(request.input, "input")
    if request.HasField("encoding_format") and request.encoding_format not in ("float", "base64"):
        raise invalid_request("`encoding_format` must be `float` or `base64`.", "encoding_format")
    _check_ranges(request, _EMBEDDING_RANGES)
    check_extra(request.extra_json, EMBEDDING_REQUEST)


def check_image(request: ImageRequest) -> None:
    """Checks an image request, as `check_chat` does."""
    check_model(request.model)
    if not request.prompt:
        raise invalid_request("`prompt` is missing.", "prompt")
    _check_ranges(request, _IMAGE_RANGES)
    check_extra(request.extra_json, IMAGE_REQUEST)


def check_video(request: VideoRequest) -> None:
    """Checks a video request, as `check_chat` does."""
    check_model(request.model)
    if not request.prompt:
        raise invalid_request("`prompt` is missing.", "prompt")
    _check_ranges(request, _VIDEO_RANGES)
    if request.HasField("seconds") and request.seconds == 0:
        raise invalid_request("`seconds` must be more than 0.", "seconds")
    check_extra(request.extra_json, VIDEO_REQUEST)


def _check_input(given: TextInput, name: str) -> None:
    form = given.WhichOneof("form")
    if form is None:
        raise invalid_request(f"`{name}` is missing.", name)
    if form != "text" and not getattr(given, form).values:
        raise invalid_request(f"`{name}` must not be empty.", name)


def _check_stop(stop: StringOrList) -> None:
    if len(stop.list) > MOST_STOPS:
        raise invalid_request(f"`stop` must have at most {MOST_STOPS} texts.", "stop")


def _check_ranges(request: ProtoMessage, ranges: Ranges) -> None:
    for field, value in request.ListFields():
        allowed = ranges.get(field.name)
        if allowed is not None and not allowed[0] <= value <= allowed[1]:
            raise invalid_request(f"`{field.name}` must be between {allowed[0]} and {allowed[1]}.", field.name)


def _check_bias(biases: object) -> None:
    for token, bias in biases:  # type: ignore[attr-defined]
        if not -100 <= bias <= 100:
            raise invalid_request("`logit_bias` must have values between -100 and 100.", f"logit_bias.{token[:20]}")


def _refuse_role(message: Message, index: int) -> None:
    known = ", ".join(f"`{role}`" for role in sorted(_ROLES))
    param = f"messages[{index}].role"
    if not message.role:
        raise invalid_request(f"`{param}` is missing; it must be one of {known}.", param)
    raise invalid_request(f"`{param}` must be one of {known}.", param)
