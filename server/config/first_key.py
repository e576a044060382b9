"""The first admin key, made once for a data folder that has none; the folder keeps its digest, never the key."""

import hashlib
import os
import re
import secrets
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from server.config.errors import ConfigError, Fault

FILE_NAME = "api_keys.json"
_LARGEST_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FirstKey:
    """The key's SHA-256; `plain` only for the one who made it."""

    plain: str | None
    digest: bytes


def data_dir(env: Mapping[str, str]) -> Path:
    """Finds the data folder: TRUNKLINE_DATA_DIR, else XDG_DATA_HOME/trunkline, else ~/.local/share/trunkline.

    Raises:
        ConfigError: None of these variables nor HOME is set.
    """
    own, shared, home = (env.get(name, "") for name in ("TRUNKLINE_DATA_DIR", "XDG_DATA_HOME", "HOME"))
    if own:
        return Path(own)
    if Path(shared).is_absolute():
        return Path(shared) / "trunkline"
    if home:
        return Path(home) / ".local" / "share" / "trunkline"
    raise _error("data folder", "neither TRUNKLINE_DATA_DIR, XDG_DATA_HOME nor HOME is set")


def ensure_first_key(data_dir: Path) -> FirstKey:
    """Reads the folder's first key, or makes it; of several processes at once exactly one makes it.

    The file appears complete or not at all: it is written beside and linked to its name, which fails where there is one.

    Raises:
        ConfigError: The folder or the file cannot be used, or the file holds something else.
    """
    file = data_dir / FILE_NAME
    reason = ""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            made = _make(file)
            if made is not None:
                return made
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_BYTES)
    except OSError as error:
        reason = error.strerror or "unknown reason"
    if reason:
        raise _error(str(file), f"the first key cannot be kept here: {reason}")
    return FirstKey(None, _digest_in(content, file))


def forget_first_key(data_dir: Path) -> None:
    """Lets the next start make another one, for the one who made it and could show it to nobody."""
    with suppress(OSError):
        (data_dir / FILE_NAME).unlink()


def _make(file: Path) -> FirstKey | None:
    """Makes a key and its file; None where another process was first."""
    plain = f"llm_{uuid.uuid4()}"
    digest = hashlib.sha256(plain.encode()).digest()
    entry = {
        "sha256": digest.hex(),
        "created_time": datetime.now(UTC).isoformat(timespec="seconds"),
        "roles": ["completion", "admin"],
    }
    beside = file.with_name(f".{FILE_NAME}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(orjson.dumps({"api_keys": [entry]}, option=orjson.OPT_INDENT_2))
            opened.flush()
            os.fsync(opened.fileno())
        os.link(beside, file)
    except FileExistsError:
        return None
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(file.parent)
    return FirstKey(plain, digest)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest_in(content: bytes, file: Path) -> bytes:
    try:
        document: object = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    keys = document.get("api_keys") if isinstance(document, dict) else None
    first = keys[0] if isinstance(keys, list) and keys else None
    digest = first.get("sha256") if isinstance(first, dict) else None
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise _error(str(file), "the file is damaged; move it away to have a new first key made")
    return bytes.fromhex(digest)


def _error(file: str, message: str) -> ConfigError:
    return ConfigError(file, [Fault("", None, None, message)])
