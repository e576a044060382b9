"""What is checked of requests."""

import pytest

from server.errors import GatewayError
from server.services.requests import MOST_MESSAGES, check_chat
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline.v1.error_reason_pb2 import ErrorReason


def test_a_conversation_has_no_more_messages_than_the_loop_can_bear() -> None:
    chat = ChatCompletionRequest(model="m", messages=[Message(role="user", content="x")] * MOST_MESSAGES)
    check_chat(chat)
    chat.messages.add(role="user", content="x")
    with pytest.raises(GatewayError, match="100000") as raised:
        check_chat(chat)
    assert raised.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert raised.value.metadata["param"] == "messages"
