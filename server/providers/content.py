"""The content of a message -> parts in a vendor's form, as the dialect writes a single one."""

from collections.abc import Callable

from trunkline.v1.chat_pb2 import ContentPart, Message

Json = dict[str, object]


def given_parts(message: Message, vendor_part: Callable[[ContentPart], Json | None]) -> list[Json]:
    """The parts of a message in the vendor's form, without its plain text; see `parts_of`."""
    return [part for given in message.content_parts if (part := vendor_part(given)) is not None]


def parts_of(
    message: Message, vendor_part: Callable[[ContentPart], Json | None], text_part: Callable[[str], Json]
) -> list[Json]:
    """A message's content in the vendor's form; blank texts are left out.

    Args:
        message: the contract's.
        vendor_part: writes a part; None for one that is left out.
        text_part: writes a text as a part.
    """
    parts = given_parts(message, vendor_part)
    texts = (message.content, message.refusal if message.role == "assistant" else "")
    parts.extend(text_part(text) for text in texts if text.strip())
    return parts
