"""What gateways are asked for, as commands name it."""

from enum import StrEnum
from typing import cast

from trunkline.v1.models_service_pb2 import Operation


class Asked(StrEnum):
    """What is asked for."""

    CHAT = "chat"
    TEXT = "text"
    EMBEDDINGS = "embeddings"
    IMAGES = "images"
    VIDEOS = "videos"

    @property
    def operation(self) -> Operation:
        """As the contract has it."""
        return cast(Operation, Operation.Value(f"OPERATION_{self.name}"))
