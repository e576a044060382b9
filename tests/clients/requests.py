"""Requests that the tests of clients send."""

from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message


def chat(model: str = "echo", text: str = "Hello there") -> ChatCompletionRequest:
    """Asks one question."""
    return ChatCompletionRequest(model=model, messages=[Message(role="user", content=text)])
