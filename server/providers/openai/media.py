"""Images and videos in a vendor's answer -> the contract's lists, also where the answer is a chat completion (Blackbox)."""

import re

from server.providers.base import Batch, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai.reading import Json, choices_of
from trunkline.v1.completion_service_pb2 import CreateImagesResponse, CreateVideosResponse
from trunkline_json import IMAGE_LIST, VIDEO_LIST

_ADDRESS = re.compile(r"(?:https?://|data:(?:image|video)/)[^\s()<>\"'\]]+")


def media_list(operation: Operation, answer: Json) -> Batch:
    """The answer to a request for images or videos."""
    check_data(answer)
    if operation is Operation.IMAGES:
        return CreateImagesResponse(images=IMAGE_LIST.parse(answer, False))
    return CreateVideosResponse(videos=VIDEO_LIST.parse(answer, False))


def media_of_chat(operation: Operation, answer: Json) -> Batch:
    """The same where the answer is a chat completion whose text is an address, or has addresses in it.

    Raises:
        ProviderError: PROTOCOL when it has none.
    """
    texts = [_content(choice) for choice in choices_of(answer) or ()]
    found = [address for text in texts for address in _ADDRESS.findall(text)]
    if not found:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no address of what it made.")
    return media_list(operation, {"created": answer.get("created"), "data": [{"url": url} for url in dict.fromkeys(found)]})


def check_data(answer: Json) -> None:
    """Checks that an answer has a list of objects as its data.

    Raises:
        ProviderError: PROTOCOL when it has not.
    """
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no data.")


def _content(choice: Json) -> str:
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        content = " ".join(str(part.get("text") or part.get("image_url")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
