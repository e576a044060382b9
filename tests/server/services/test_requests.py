"""What is checked of requests."""

import pytest

from server.errors import GatewayError
from server.services.requests import MOST_MESSAGES, MOST_STOPS, check_chat, check_text
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message, StringOrList
from trunkline.v1.error_reason_pb2 import ErrorReason
from trunkline.v1.text_pb2 import TextCompletionRequest, TextInput


def test_a_conversation_has_no_more_messages_than_the_loop_can_bear() -> None:
    chat = ChatCompletionRequest(model="m", messages=[Message(role="user", content="x")] * MOST_MESSAGES)
    check_chat(chat)
    chat.messages.add(role="user", content="x")
    with pytest.raises(GatewayError, match="100000") as raised:
        check_chat(chat)
    assert raised.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert raised.value.metadata["param"] == "messages"


@pytest.mark.parametrize("operation", ["chat", "text"])
def test_a_request_has_no_more_stop_sequences_than_any_vendor_takes(operation: str) -> None:
    def check(count: int) -> None:
        stop = StringOrList(list=["x"] * count)
        if operation == "chat":
            check_chat(ChatCompletionRequest(model="m", messages=[Message(role="user", content="x")], stop=stop))
        else:
            check_text(TextCompletionRequest(model="m", prompt=TextInput(text="x"), stop=stop))

    check(MOST_STOPS)
    with pytest.raises(GatewayError, match="8191") as raised:
        check(MOST_STOPS + 1)
    assert raised.value.metadata["param"] == "stop"
