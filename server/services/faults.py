"""Faults made on purpose: the contract's form of them <-> the settings' form."""

import re
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from server.config.schema import FaultSettings
from server.errors import GatewayError, invalid_request
from server.policies.chaos import Fault as KnownFault
from server.services.admin_fields import time
from server.services.times import duration_to_ms, timestamp_to_ms
from server.tenancy.who import check_id
from trunkline.v1.admin_service_pb2 import CreateFaultRequest, Fault, FaultMatch, FaultSeverity, FaultType

COLLECTION = "faults"
"""How their names begin."""

_TYPE, _SEVERITY = "FAULT_TYPE_", "FAULT_SEVERITY_"
_FIELDS = {"duration_ms": "duration"}
"""Settings that the contract calls otherwise."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INPUT = ("probability", "error_code", "error_message", "after_chunks")
_NAMES = ("provider", "model", "key")


def read_fault(request: CreateFaultRequest) -> FaultSettings:
    """The settings of the fault that is asked for.

    Raises:
        GatewayError: INVALID_REQUEST, with the field at fault.
    """
    fault = request.fault
    if request.fault_id:
        check_id(request.fault_id, "fault_id")
    if fault.type not in FaultType.values() or not fault.type:
        raise invalid_request(f"`type` must be one of {_listed(FaultType.keys(), _TYPE)}.", "type")
    if fault.severity not in FaultSeverity.values():
        raise invalid_request(f"`severity` must be one of {_listed(FaultSeverity.keys(), _SEVERITY)}.", "severity")
    if fault.HasField("expire_time") and fault.HasField("expire_after"):
        raise invalid_request("`expire_after` must be left out where `expire_time` is given.", "expire_after")
    asked: dict[str, object] = {name: getattr(fault, name) for name in _INPUT if fault.HasField(name)}
    asked["type"] = FaultType.Name(fault.type).removeprefix(_TYPE).lower()
    asked["severity"] = (
        FaultSeverity.Name(fault.severity or FaultSeverity.FAULT_SEVERITY_LOW).removeprefix(_SEVERITY).lower()
    )
    asked["match"] = _read_match(fault.match)
    if fault.HasField("duration"):
        asked["duration_ms"] = fault.duration.ToMilliseconds()
    if fault.HasField("expire_after"):
        asked["expire_after"] = fault.expire_after.ToMicroseconds() / 1e6
    if fault.HasField("expire_time"):
        milliseconds = time(fault.expire_time, "expire_time") // 1000
        asked["expire_time"] = _EPOCH + timedelta(milliseconds=milliseconds)
    try:
        return FaultSettings.model_validate(asked)
    except ValidationError as error:
        raise _refusal(error) from None


def write_fault(known: KnownFault) -> Fault:
    """A fault as the contract has it."""
    settings = known.settings
    match = settings.match
    return Fault(
        name=f"{COLLECTION}/{known.id}",
        type=f"{_TYPE}{settings.type.upper()}",
        severity=f"{_SEVERITY}{settings.severity.upper()}",
        probability=settings.probability,
        duration=None if settings.duration_ms is None else duration_to_ms(settings.duration_ms / 1000),
        error_code=settings.error_code,
        error_message=settings.error_message,
        after_chunks=settings.after_chunks,
        match=FaultMatch(
            provider=match.provider or "", model=match.model or "", key=match.key or "", percentage=match.percentage
        ),
        create_time=timestamp_to_ms(known.create_time),
        expire_time=None if known.expire_time is None else timestamp_to_ms(known.expire_time),
        configured=known.configured,
        active=known.active,
        match_count=known.match_count,
        hit_count=known.hit_count,
    )


def fault_fields(known: KnownFault) -> dict[str, object]:
    """A fault as the audit log has it."""
    return {**known.settings.model_dump(mode="json", exclude_none=True), "create_time": known.create_time}


def _read_match(match: FaultMatch) -> dict[str, object]:
    asked: dict[str, object] = {name: getattr(match, name) for name in _NAMES if getattr(match, name)}
    if match.HasField("percentage"):
        asked["percentage"] = match.percentage
    return asked


def _refusal(error: ValidationError) -> GatewayError:
    """The first thing that is wrong; its text never repeats the value."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = ".".join(_FIELDS.get(str(step), str(step)) for step in first["loc"])
    if first["type"] == "string_pattern_mismatch":
        return invalid_request(f"`{param}` holds characters that are not allowed in a name, or is too long.", param)
    said = re.sub(r"^(Input|String) should ", "must ", first["msg"])
    return invalid_request(f"`{param}` {said}.", param)


def _listed(names: list[str], prefix: str) -> str:
    return ", ".join(f"`{name.removeprefix(prefix).lower()}`" for name in names if not name.endswith("UNSPECIFIED"))
