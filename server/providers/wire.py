"""What answers of several vendors have alike as they are on the wire: counts of tokens, and arguments of calls."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""A number of tokens."""


def take_over(counted: msgspec.Struct, later: msgspec.Struct) -> None:
    """Takes over what a later event says of the usage; its counts are those of the whole answer, not to be added.

    Args:
        counted: the usage so far, which is changed.
        later: the same struct of the later event; what is None in it is not said.
    """
    for name in counted.__struct_fields__:
        value = getattr(later, name)
        if value is not None:
            setattr(counted, name, value)


def arguments_text(given: msgspec.Raw) -> str:
    """The arguments of a call that came whole, as the contract has them; `{}` where there are none."""
    arguments = bytes(given).decode()
    return "{}" if arguments == "null" else arguments
