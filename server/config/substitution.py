"""`${NAME}` and `${NAME:-default}` inside text values, replaced from the environment that is handed in.

`$${` stands for a plain `${`. A name that is set to nothing takes the default, where there is one. What came out of a
variable is not looked into again.
"""

import re
from collections.abc import Mapping

from server.config.errors import Fault
from server.config.paths import show_variable
from server.config.tree import Node

_REFERENCE = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")


def substitute(node: Node, env: Mapping[str, str], faults: list[Fault]) -> Node:
    """Gives the tree with every reference replaced; a variable that is not set and has no default is a fault."""
    if isinstance(node.value, tuple):
        return node.with_value(tuple(substitute(each, env, faults) for each in node.value))
    if node.is_mapping:
        return node.with_value({key: substitute(each, env, faults) for key, each in node.entries.items()})
    if isinstance(node.value, str) and "${" in node.value:
        return node.with_value(_replaced(node, node.value, env, faults))
    return node


def _replaced(node: Node, text: str, env: Mapping[str, str], faults: list[Fault]) -> str:
    def value_of(reference: re.Match[str]) -> str:
        name, default = reference["name"], reference["default"]
        if reference["escaped"]:
            return "${"
        if name is None:
            faults.append(
                node.fault("a `${` needs a name and a `}`: `${NAME}` or `${NAME:-default}`; write `$${` for itself")
            )
            return ""
        if default is not None:
            return env.get(name) or default
        if name not in env:
            faults.append(node.fault(f"the environment variable {show_variable(name)} is not set"))
        return env.get(name, "")

    return _REFERENCE.sub(value_of, text)
