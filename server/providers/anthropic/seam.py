"""Where an answer goes on from a beginning that was given: no blank is lost there, and none is said twice."""

from trunkline.v1.chat_pb2 import Message


class Seam:
    """Takes from the continuation the blanks that ended the beginning.

    The vendor refuses a beginning that ends with blanks, so that it gets one without them, and may say them itself.

    Args:
        prefix: the beginning; empty where there is none.
    """

    def __init__(self, prefix: str) -> None:
        self._due = prefix[len(prefix.rstrip()) :]

    def close(self, text: str) -> str:
        """What a piece of the continuation adds to the beginning; the pieces are to come in their order."""
        if not self._due or not text:
            return text
        said = 0
        while said < min(len(text), len(self._due)) and text[said] == self._due[said]:
            said += 1
        self._due = self._due[said:] if said == len(text) else ""
        return text[said:]

    def close_message(self, message: Message) -> None:
        """Does so with the text of a message that came whole."""
        if self._due and message.HasField("content"):
            message.content = self.close(message.content)
