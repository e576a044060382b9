"""The kinds of values that settings hold, each with what it accepts; their messages never repeat a value."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, StringConstraints

from server.config.frozen_map import FrozenMap

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,4096}")
_DAY_S = 86_400


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _http_url(text: str) -> str:
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and (url.port is None or url.port > 0)
        beside = "@" in url.netloc, bool(url.query or url.fragment)
    except ValueError:
        usable, beside = False, (False, False)
    if any(beside):
        raise ValueError(
            "must not hold credentials; give them as `api_key_env`" if beside[0] else "must not hold a `?` or `#` part"
        )
    if not usable or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("must be an http:// or https:// address")
    return text.rstrip("/")


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("must be a header name: letters, digits and hyphens, no blanks")
    return text


def _header_text(text: str) -> str:
    if _NOT_IN_HEADER.search(text):
        raise ValueError("must be one line without control characters")
    return text


def _secret_url(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[a-z][a-z0-9+.\-]*://[\x21-\x7e]*", secret.get_secret_value()):
        raise ValueError("must be an address such as `scheme://host/name`")
    return secret


def is_visible(text: str) -> bool:
    """Tells whether a key can travel in a header: 1 to 4096 visible ASCII characters, no blanks."""
    return _VISIBLE.fullmatch(text) is not None


def _credential(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not is_visible(text):
        raise ValueError("must be visible ASCII characters without blanks")
    return SecretStr(text)


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool)]
Port = Annotated[Int, Field(ge=0, le=65_535)]
Count = Annotated[Int, Field(ge=0, le=2**31 - 1)]
PositiveCount = Annotated[Int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[Float, Field(gt=0, le=_DAY_S)]
Delay = Annotated[Float, Field(ge=0, le=_DAY_S)]
Share = Annotated[Float, Field(ge=0, le=1)]
Percent = Annotated[Float, Field(gt=0, le=100)]
Price = Annotated[Float, Field(ge=0)]

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
NamePattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*\-]{1,64}$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./:@+\-]{1,200}$")]
ModelPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./:@+*\-]{1,200}$")]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderText = Annotated[str, AfterValidator(_header_text)]
UpperCase = BeforeValidator(_upper)

Credential = Annotated[SecretStr, AfterValidator(_credential)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]

ModelByModel = Annotated[Mapping[ModelName, ModelName], AfterValidator(FrozenMap), PlainSerializer(dict)]
ModelsByModel = Annotated[Mapping[ModelName, tuple[ModelName, ...]], AfterValidator(FrozenMap), PlainSerializer(dict)]
Headers = Annotated[Mapping[HeaderName, HeaderText], AfterValidator(FrozenMap), PlainSerializer(dict)]
LimitByEndpoint = Annotated[Mapping[Text, PositiveCount], AfterValidator(FrozenMap), PlainSerializer(dict)]
