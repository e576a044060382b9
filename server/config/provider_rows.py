"""Provider rows, completed from their kind and the environment while they are still a document."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from server.config.errors import Fault
from server.config.notice import Notice
from server.config.paths import show_path, show_variable
from server.config.provider_kind import ProviderKind, find_kind
from server.config.tree import Node, change_at


def complete_rows(
    root: Node, env: Mapping[str, str], kinds: Sequence[ProviderKind], faults: list[Fault], notices: list[Notice]
) -> Node:
    """Gives the tree with every provider row's type, address, key and models filled in.

    Args:
        root: The document, in the nested shape.
        env: Where keys are looked up.
        kinds: The types that may be named.
        faults: Receives unknown types, missing addresses, repeated names.
        notices: Receives keys that are not set.
    """
    _refuse_repeated_names(root, faults)
    return change_at(root, ("providers", "*"), lambda row: _completed(row, env, kinds, faults, notices))


def _refuse_repeated_names(root: Node, faults: list[Fault]) -> None:
    rows = root.entries["providers"].elements if "providers" in root.entries else ()
    lines: dict[str, int] = {}
    for row in rows:
        name = row.text("name")
        if name is None:
            continue
        node = row.entries["name"]
        if name in lines:
            faults.append(node.fault(f"the provider on line {lines[name]} has this name already"))
        lines.setdefault(name, node.place.line)


def _completed(
    row: Node, env: Mapping[str, str], kinds: Sequence[ProviderKind], faults: list[Fault], notices: list[Notice]
) -> Node:
    type_name = row.text("type")
    if type_name is None:
        return row
    type_node = row.entries["type"]
    kind = find_kind(kinds, type_name)
    if kind is None:
        faults.append(type_node.fault("unknown type of provider; " + _nearest(type_name, kinds)))
        return row
    enabled = _enabled(row)
    given = {key: node for key, node in row.entries.items() if node.value is not None}
    own_address = given.get("base_url")
    if kind.base_url is None and kind.needs_base_url and own_address is None:
        faults.append(row.fault(f"a provider of type `{kind.type}` needs a `base_url`"))
    if row.text("dialect") == "legacy" and not kind.legacy:
        faults.append(given["dialect"].fault(_no_older_form(kind, kinds)))
    if "api_key" in given and "api_key_env" in given:
        faults.append(row.entries["api_key"].key_fault("give `api_key` or `api_key_env`, not both"))
    added: dict[str, Node] = {"type": type_node.with_value(kind.type)}
    if own_address is None and kind.base_url:
        added["base_url"] = row.child("base_url", kind.base_url)
    if "models" not in row.entries:
        added["models"] = row.child("models", None).with_value(tuple(row.child("models", name) for name in kind.models))
    if "api_key" not in given:
        added |= _found_key(row, kind, env, notices if enabled else [])
    if enabled and kind.missing_without_key is not None and not {"api_key", "api_key_env"} & (given.keys() | added.keys()):
        missing = kind.missing_without_key()
        if missing is not None:
            faults.append(row.fault(missing))
    return row.with_value({**row.entries, **added})


def _enabled(row: Node) -> bool:
    node = row.entries.get("enabled")
    return node is None or str(node.value).strip().lower() not in {"false", "no", "off", "0", "f", "n"}


def _found_key(row: Node, kind: ProviderKind, env: Mapping[str, str], notices: list[Notice]) -> dict[str, Node]:
    """Looks the key up; the vendor's usual variables count only where the row goes to the vendor's own address."""
    named = row.entries.get("api_key_env")
    if named is not None and isinstance(named.value, str):
        key = env.get(named.value, "").strip()
        if key:
            return {"api_key": named.with_value(key)}
        message = f"the environment variable {show_variable(named.value)} is not set; the provider has no key"
        notices.append(_notice("api_key_not_set", named, message))
        return {}
    address = row.text("base_url")
    if kind.base_url is None or address is None or address.rstrip("/") == kind.base_url.rstrip("/"):
        found = usual_key(kind, env)
        if found is not None:
            return {"api_key": row.child("api_key", found)}
    if kind.needs_key:
        notices.append(_notice("api_key_not_set", row, "the provider has no key; name its variable with `api_key_env`"))
    return {}


def usual_key(kind: ProviderKind, env: Mapping[str, str]) -> str | None:
    """Finds the key in the first of the vendor's usual variables that is set to something."""
    return next((key for name in kind.api_key_env if (key := env.get(name, "").strip())), None)


def _nearest(type_name: str, kinds: Sequence[ProviderKind]) -> str:
    known = [name for kind in kinds for name in (kind.type, *kind.aliases)]
    near = get_close_matches(type_name[:64].lower(), known, n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else "known are " + ", ".join(sorted(known))


def _no_older_form(kind: ProviderKind, kinds: Sequence[ProviderKind]) -> str:
    having = ", ".join(f"`{each.type}`" for each in kinds if each.legacy)
    return f"providers of type `{kind.type}` have no older form" + (f"; known are those of {having}" if having else "")


def _notice(code: str, node: Node, message: str) -> Notice:
    return Notice(code, show_path(node.path), node.place.line, message)
