"""What a vendor has no place for, refused in the same words by every dialect."""

from server.providers.base import Ask
from server.providers.errors import Fault, ProviderError
from trunkline.v1.chat_pb2 import ContentPart, Message


def unsupported(message: str, param: str = "") -> ProviderError:
    """The error of a request that the vendor cannot express; another provider may.

    Args:
        message: what it is that it cannot.
        param: the request's field at fault.
    """
    return ProviderError(Fault.UNSUPPORTED, message, param=param)


def no_operation(ask: Ask) -> ProviderError:
    """The error of an operation that the vendor does not have."""
    return unsupported(f"The provider has no {ask.operation.value}.")


def no_role(message: Message) -> ProviderError:
    """The error of a message by somebody who does not speak at the vendor's."""
    return unsupported(f"The provider has no messages of the role `{message.role[:64]}`.", "messages")


def no_words() -> ProviderError:
    """The error of a conversation in which nothing is said."""
    return unsupported("The provider needs a message that is not empty.", "messages")


def no_content(part: ContentPart) -> ProviderError:
    """The error of a content part of a kind that the vendor does not have."""
    return unsupported(f"The provider has no content of the type `{part.type[:64]}`.", "messages.content")


def only_text_of_system() -> ProviderError:
    """The error of a system message that is more than text."""
    return unsupported("The provider takes system prompts as text only.", "messages.content")
