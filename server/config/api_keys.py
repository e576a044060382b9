"""Callers' keys, turned into digests while they are still a document: the settings never meet the plain text.

Who writes texts has to know it, though, so that it is in none.
"""

import hashlib
import re
from collections.abc import Mapping

from pydantic import SecretStr

from server.config.errors import Fault
from server.config.fields import is_visible
from server.config.paths import show_variable
from server.config.tree import Node, change_at

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FORMS = ("key", "key_env", "sha256")
_NO_DIGEST = "0" * 64


def digest_keys(root: Node, env: Mapping[str, str], faults: list[Fault], plain: list[SecretStr]) -> Node:
    """Gives the tree with every key in `auth.api_keys` replaced by its digest, under a name.

    An entry is the key itself as text, or a mapping with one of `key`, `key_env` (the variable that holds it) and `sha256`
    (64 hexadecimal digits). What is neither is left for the schema to refuse. `plain` gets the keys, but for those of which
    nothing else than the digest is told.
    """
    return change_at(root, ("auth", "api_keys"), lambda keys: _digested(keys, env, faults, plain))


def _digested(keys: Node, env: Mapping[str, str], faults: list[Fault], plain: list[SecretStr]) -> Node:
    if not isinstance(keys.value, tuple):
        return keys
    taken = {name for entry in keys.elements if (name := entry.text("name"))}
    names: dict[str, Node] = {}
    digests: dict[str, Node] = {}
    entries = []
    for number, entry in enumerate(keys.elements, start=1):
        if not entry.is_mapping and not isinstance(entry.value, str):
            faults.append(entry.fault("must be a key in quotes, or a mapping with `key`, `key_env` or `sha256`"))
            continue
        digest = _digest(entry, env, faults, plain)
        name = entry.text("name") or _free_name(number, taken)
        if digest != _NO_DIGEST:
            _refuse_repeated(digests, digest, entry, "the same key", faults)
        _refuse_repeated(names, name, entry, "the same name", faults)
        rest = {key: node for key, node in entry.entries.items() if key not in _FORMS}
        if "digest" in rest:
            faults.append(rest.pop("digest").key_fault("unknown key; did you mean `sha256`?"))
        given = {"name": entry.child("name", name), **rest, "digest": entry.child("digest", digest)}
        entries.append(entry.with_value(given))
    return keys.with_value(tuple(entries))


def _free_name(number: int, taken: set[str]) -> str:
    while f"key-{number}" in taken:
        number += 1
    taken.add(f"key-{number}")
    return f"key-{number}"


def _refuse_repeated(seen: dict[str, Node], value: str, entry: Node, what: str, faults: list[Fault]) -> None:
    if value in seen:
        faults.append(entry.fault(f"{what} stands on line {seen[value].place.line} already"))
    seen.setdefault(value, entry)


def _digest(entry: Node, env: Mapping[str, str], faults: list[Fault], plain: list[SecretStr]) -> str:
    """Gives the digest in hexadecimal digits; of nothing usable, a fault and a filling."""
    if not entry.is_mapping:
        return _sha256(entry, entry.value, faults, plain)
    given = [form for form in _FORMS if form in entry.entries]
    if len(given) != 1:
        faults.append(entry.fault("must have exactly one of `key`, `key_env` and `sha256`"))
        return _NO_DIGEST
    node = entry.entries[given[0]]
    if given == ["key"]:
        return _sha256(node, node.value if isinstance(node.value, str) else None, faults, plain)
    if given == ["sha256"]:
        if isinstance(node.value, str) and _SHA256.fullmatch(node.value):
            return node.value.lower()
        faults.append(node.fault("must be 64 hexadecimal digits in quotes"))
        return _NO_DIGEST
    if not isinstance(node.value, str):
        faults.append(node.fault("must be the name of an environment variable"))
        return _NO_DIGEST
    if not env.get(node.value, "").strip():
        faults.append(node.fault(f"the environment variable {show_variable(node.value)} is not set"))
        return _NO_DIGEST
    return _sha256(node, env[node.value].strip(), faults, plain)


def _sha256(node: Node, key: object, faults: list[Fault], plain: list[SecretStr]) -> str:
    if not isinstance(key, str) or not is_visible(key):
        faults.append(node.fault("must be a key in quotes: visible ASCII characters without blanks"))
        return _NO_DIGEST
    plain.append(SecretStr(key))
    return hashlib.sha256(key.encode("ascii")).hexdigest()
