"""What requests about tenants, users, keys, quotas and budgets say, checked."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from server.caller import ADMIN, COMPLETION, METRICS_READ, MODELS_READ
from server.errors import invalid_request
from server.services.requests import check_model
from server.tenancy.subjects import MODEL, Subject, read_subject
from trunkline.v1.tenancy_pb2 import ApiKey, Budget, LimitPeriod, Quota, Tenant, User

M = TypeVar("M", Tenant, User, ApiKey, Quota, Budget)

_PERMISSIONS = (COMPLETION, MODELS_READ, METRICS_READ, ADMIN)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What breaks a line, or turns the direction of what follows, among them."""
_MODEL_PATTERN = re.compile(r"[A-Za-z0-9._:@+/*-]{1,200}")
_PROVIDER_PATTERN = re.compile(r"[A-Za-z0-9_.*-]{1,64}")
_LONGEST_TEXT, _LONGEST_FILTER = 200, 300
_MOST_PATTERNS, _MOST_THRESHOLDS, _LARGEST_THRESHOLD = 100, 10, 1000
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""
_LONGEST_OVERLAP_S = 30 * 24 * 3600
_PERIOD = "LIMIT_PERIOD_"


def require(request: Message, field: str) -> None:
    """Checks that a request has a message in a field, though that may be empty.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if not request.HasField(field):
        raise invalid_request(f"`{field}` is missing.", field)


def text(value: str, param: str, longest: int = _LONGEST_TEXT) -> str:
    """A text that logs and tables can show.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if len(value) > longest or _CONTROL.search(value):
        raise invalid_request(f"`{param}` may have {longest} characters, none of them a control character.", param)
    return value


def filter_text(value: str, param: str) -> str:
    """A text to compare with."""
    return text(value, param, _LONGEST_FILTER)


def enabled(given: Tenant | User | ApiKey) -> bool:
    """Whether it is to be enabled; true where nobody said."""
    return given.enabled if given.HasField("enabled") else True


def permissions(given: Sequence[str]) -> tuple[str, ...]:
    """What a key is to be allowed, in our order, each once.

    Raises:
        GatewayError: INVALID_REQUEST for a permission that there is not, and for none.
    """
    if not given or not set(given) <= set(_PERMISSIONS):
        known = ", ".join(f"`{each}`" for each in _PERMISSIONS)
        raise invalid_request(f"`permissions` must be some of {known}.", "permissions")
    return tuple(each for each in _PERMISSIONS if each in given)


def model_patterns(given: Sequence[str]) -> tuple[str, ...]:
    """Patterns of models, each once."""
    return _patterns(given, "allowed_models", _MODEL_PATTERN)


def provider_patterns(given: Sequence[str]) -> tuple[str, ...]:
    """Patterns of providers' names, each once."""
    return _patterns(given, "allowed_providers", _PROVIDER_PATTERN)


def expire_time(given: ApiKey) -> int | None:
    """When a key is to end, in microseconds since the epoch; None: never."""
    return time(given.expire_time, "expire_time") if given.HasField("expire_time") else None


def time(given: Timestamp, param: str) -> int:
    """A time, in microseconds since the epoch.

    Raises:
        GatewayError: INVALID_REQUEST for one before the epoch, or after the year 9999.
    """
    return _micros(given, param, _LAST_SECOND)


def overlap(given: Duration) -> int:
    """How long a rotated key is to live on, in microseconds."""
    return _micros(given, "overlap", _LONGEST_OVERLAP_S)


def period(given: LimitPeriod) -> str:
    """After what time a limit begins anew: daily, weekly, monthly or total.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if not given or given not in LimitPeriod.values():
        raise invalid_request("`period` must be one of `daily`, `weekly`, `monthly`, `total`.", "period")
    return LimitPeriod.Name(given).removeprefix(_PERIOD).lower()


def period_value(name: str) -> LimitPeriod:
    """The contract's value of a period."""
    return cast(LimitPeriod, LimitPeriod.Value(f"{_PERIOD}{name.upper()}"))


def amount(value: int, param: str) -> int:
    """A limit, 0 or more."""
    if value < 0:
        raise invalid_request(f"`{param}` must not be negative.", param)
    return value


def thresholds(given: Sequence[int]) -> tuple[int, ...]:
    """Percentages, in order, each once.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if len(given) > _MOST_THRESHOLDS or not all(1 <= each <= _LARGEST_THRESHOLD for each in given):
        raise invalid_request(
            f"`thresholds` may have {_MOST_THRESHOLDS} percentages from 1 to {_LARGEST_THRESHOLD}.", "thresholds"
        )
    return tuple(sorted(set(given)))


def subject(name: str, shared: bool) -> Subject:
    """Whose a limit is to be; `shared`: it may be everybody's, or a model's."""
    read = read_subject(name, shared)
    if read.scope == MODEL:
        check_model(read.id, "subject")
    return read


def _display_name(given: Tenant | User | ApiKey | Budget) -> str:
    return text(given.display_name, "display_name") or given.name.partition("/")[2]


def _enabled(given: Tenant | User | ApiKey) -> bool:
    if not given.HasField("enabled"):
        raise invalid_request("`enabled` is missing.", "enabled")
    return given.enabled


def _enforced(given: Budget) -> bool:
    if not given.HasField("enforced"):
        raise invalid_request("`enforced` is missing.", "enforced")
    return given.enforced


TENANT: Mapping[str, Callable[[Tenant], object]] = {"display_name": _display_name, "enabled": _enabled}
USER: Mapping[str, Callable[[User], object]] = {"display_name": _display_name, "enabled": _enabled}
API_KEY: Mapping[str, Callable[[ApiKey], object]] = {
    "display_name": _display_name,
    "permissions": lambda given: permissions(given.permissions),
    "allowed_models": lambda given: model_patterns(given.allowed_models),
    "allowed_providers": lambda given: provider_patterns(given.allowed_providers),
    "enabled": _enabled,
    "expire_time": expire_time,
}
QUOTA: Mapping[str, Callable[[Quota], object]] = {"token_limit": lambda given: amount(given.token_limit, "token_limit")}
BUDGET: Mapping[str, Callable[[Budget], object]] = {
    "display_name": _display_name,
    "limit_usd_micros": lambda given: amount(given.limit_usd_micros, "limit_usd_micros"),
    "enforced": _enforced,
    "thresholds": lambda given: thresholds(given.thresholds),
}
"""By field that may be changed, how its value is read. They are the records' fields, but for those of the next table."""

_OF_RECORDS = {"limit_usd_micros": "limit_micros"}


def changes(given: M, mask: FieldMask, fields: Mapping[str, Callable[[M], object]]) -> dict[str, object]:
    """What an update changes: fields of the record with their new values.

    Args:
        given: the update.
        mask: which fields; those that never change are left alone, as whoever sends back what was read names them, too;
            empty: those that are there.
        fields: those that may be changed.

    Raises:
        GatewayError: INVALID_REQUEST for a mask with what is no field, or with none that may be changed, and for values
            that are not allowed.
    """
    if mask.paths:
        known = cast(Descriptor, given.DESCRIPTOR).fields_by_name
        if fields.keys().isdisjoint(mask.paths) or not all(path in known for path in mask.paths):
            raise invalid_request(f"`update_mask` may have {', '.join(f'`{each}`' for each in fields)}.", "update_mask")
    wanted: Collection[str] = mask.paths or _there(given)
    return {_OF_RECORDS.get(name, name): read(given) for name, read in fields.items() if name in wanted}


def _there(message: Message) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


def _patterns(given: Sequence[str], param: str, allowed: re.Pattern[str]) -> tuple[str, ...]:
    if len(given) > _MOST_PATTERNS:
        raise invalid_request(f"`{param}` may have {_MOST_PATTERNS} patterns.", param)
    for number, pattern in enumerate(given):
        if not allowed.fullmatch(pattern):
            raise invalid_request(f"`{param}[{number}]` is no pattern of a name.", f"{param}[{number}]")
    return tuple(dict.fromkeys(given))


def _micros(given: Timestamp | Duration, param: str, longest_s: int) -> int:
    if not 0 <= given.seconds <= longest_s or not 0 <= given.nanos < 1_000_000_000:
        raise invalid_request(f"`{param}` must be between 0 and {longest_s} seconds.", param)
    return given.seconds * 1_000_000 + given.nanos // 1000
