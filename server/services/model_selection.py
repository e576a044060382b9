"""What an update makes of a provider's selection."""

from collections.abc import Collection
from dataclasses import replace

from server.catalogue.selections import Selection
from server.errors import invalid_request
from server.services.requests import check_model
from trunkline.v1.models_service_pb2 import ModelSelection

_FIELDS = ("selected_model", "editable", "priority", "max_tokens", "temperature")
_RANGES = {"priority": (-1_000_000, 1_000_000), "max_tokens": (1, 2**31 - 1), "temperature": (0, 2)}


def selected(before: Selection | None, given: ModelSelection, mask: Collection[str]) -> Selection:
    """The selection that an update makes of the one before.

    Args:
        before: None: there is none yet.
        given: the update's fields.
        mask: which of them to set; empty: all, so that the absent ones are unset, `editable` aside.

    Raises:
        GatewayError: INVALID_REQUEST for a value that is not allowed, and where the selection is locked.
    """
    for name in mask:
        if name not in _FIELDS:
            raise invalid_request(f"`update_mask` may have {', '.join(f'`{each}`' for each in _FIELDS)}.", "update_mask")
    for field, value in given.ListFields():
        allowed = _RANGES.get(field.name)
        if allowed is not None and not allowed[0] <= value <= allowed[1]:
            raise invalid_request(f"`{field.name}` must be between {allowed[0]} and {allowed[1]}.", field.name)
    sets = frozenset(mask or _FIELDS)
    if not (given.editable and "editable" in sets):
        refuse_locked(before)
    model = given.selected_model if "selected_model" in sets else before.model if before else ""
    check_model(model, "selected_model")
    old = before or Selection(model)
    editable = given.editable if "editable" in sets and given.HasField("editable") else old.editable
    made = replace(old, model=model, editable=editable)
    if "priority" in sets:
        made = replace(made, priority=given.priority if given.HasField("priority") else None)
    if "max_tokens" in sets:
        made = replace(made, max_tokens=given.max_tokens if given.HasField("max_tokens") else None)
    if "temperature" in sets:
        made = replace(made, temperature=given.temperature if given.HasField("temperature") else None)
    return made


def refuse_locked(before: Selection | None) -> None:
    """Refuses to change a locked selection.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if before is not None and not before.editable:
        raise invalid_request("The selection is locked; an update with `editable` true unlocks it.", "editable")
