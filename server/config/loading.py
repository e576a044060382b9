"""One `config.yaml` in, immutable settings and remarks out; or one error with every fault of the file.

The steps: text -> tree -> variables replaced -> one shape -> keys digested -> provider rows completed -> settings. Reads
the one file, and neither the environment nor anything else by itself.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from server.config.api_keys import digest_keys
from server.config.embedded import embedded_settings
from server.config.errors import ConfigError, Fault
from server.config.notice import Notice
from server.config.provider_kind import ProviderKind
from server.config.provider_rows import complete_rows
from server.config.provider_settings import ProviderSettings
from server.config.schema import Settings
from server.config.shapes import normalise
from server.config.substitution import substitute
from server.config.unbuilt import unbuilt_notices
from server.config.validation import validate
from server.config.yaml_tree import read_tree

LARGEST_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and how they came about; `path` is None and `file_size_bytes` 0 for the embedded defaults.

    `plain_keys` are callers' keys, as far as the file has more of them than digests: no text may have them in it.
    """

    settings: Settings
    notices: tuple[Notice, ...]
    path: Path | None
    load_time_s: float
    file_size_bytes: int
    plain_keys: tuple[SecretStr, ...] = ()


def load(path: Path | None, env: Mapping[str, str], kinds: Sequence[ProviderKind]) -> Loaded:
    """Loads a configuration file, or the embedded defaults where there is none.

    Args:
        path: The file; None for the embedded defaults.
        env: The environment, for `${NAME}` and keys.
        kinds: The types of providers that rows may name.

    Raises:
        ConfigError: The file cannot be read or used; it holds every fault found.
    """
    started = time.perf_counter()
    faults: list[Fault] = []
    notices: list[Notice] = []
    plain_keys: list[SecretStr] = []
    settings: Settings | None
    size_bytes = 0
    if path is None:
        settings = embedded_settings(env, kinds, faults)
    else:
        settings, size_bytes = _load_file(path, env, kinds, faults, notices, plain_keys)
    if settings is None or faults:
        first_by_place = {(fault.path, fault.line, fault.column): fault for fault in reversed(faults)}
        raise ConfigError("embedded defaults" if path is None else str(path), list(first_by_place.values()))
    return Loaded(settings, tuple(notices), path, time.perf_counter() - started, size_bytes, tuple(plain_keys))


def embedded_defaults(env: Mapping[str, str], kinds: Sequence[ProviderKind]) -> Loaded:
    """Gives what holds without a file: `echo`, and every vendor whose usual key variable is set."""
    return load(None, env, kinds)


def _load_file(
    path: Path,
    env: Mapping[str, str],
    kinds: Sequence[ProviderKind],
    faults: list[Fault],
    notices: list[Notice],
    plain_keys: list[SecretStr],
) -> tuple[Settings | None, int]:
    content = _read(path, faults)
    text = None if content is None else _decoded(content, faults)
    root = None if text is None else read_tree(text, faults)
    if content is None or root is None:
        return None, 0
    root = substitute(root, env, faults)
    root = normalise(root, faults)
    root = digest_keys(root, env, faults, plain_keys)
    root = complete_rows(root, env, kinds, faults, notices)
    settings = validate(root, faults)
    if settings is None or faults:
        return None, 0
    notices.extend(unbuilt_notices(root, settings))
    if not settings.providers:
        notices.append(Notice("no_providers", "providers", None, "no provider is configured; no model can be served"))
    return _finished(settings), len(content)


def _read(path: Path, faults: list[Fault]) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        faults.append(Fault("", None, None, f"the file cannot be read: {error.strerror or 'unknown reason'}"))
        return None
    except ValueError:
        faults.append(Fault("", None, None, "the file cannot be read: its name is not usable"))
        return None
    if len(content) > LARGEST_FILE_BYTES:
        faults.append(Fault("", None, None, f"the file is larger than {LARGEST_FILE_BYTES} bytes"))
        return None
    return content


def _decoded(content: bytes, faults: list[Fault]) -> str | None:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
    column = len(before) - before.rfind(b"\n")
    faults.append(Fault("", before.count(b"\n") + 1, column, "not valid UTF-8"))
    return None


def _finished(settings: Settings) -> Settings:
    """Gives the rows the defaults of `http_client`."""
    defaults = settings.http_client.given()
    rows = tuple(_with_defaults(row, defaults) for row in settings.providers)
    return settings.model_copy(update={"providers": rows})


def _with_defaults(row: ProviderSettings, defaults: Mapping[str, object]) -> ProviderSettings:
    return row.model_copy(update={name: value for name, value in defaults.items() if name not in row.model_fields_set})
