"""Other spellings of the same settings, moved to where the schema has them: the flat shape into the nested one."""

from dataclasses import dataclass

from server.config.errors import Fault
from server.config.paths import show_path
from server.config.tree import Node, Pattern, change_at


@dataclass(frozen=True, slots=True)
class Move:
    """One other spelling: `old` inside `within` is read as the path `new` inside it."""

    old: str
    new: Pattern
    within: Pattern = ()


MOVES = (
    Move("app_name", ("app", "name")),
    Move("app_version", ("app", "version")),
    Move("config_file", ("app", "config_file")),
    Move("debug", ("server", "debug")),
    Move("host", ("server", "host")),
    Move("port", ("server", "port")),
    Move("cors_origins", ("server", "cors_origins")),
    Move("api_keys", ("auth", "api_keys")),
    Move("api_key_header", ("auth", "api_key_header")),
    Move("rate_limit_rpm", ("rate_limit", "requests_per_window")),
    Move("rate_limit_window", ("rate_limit", "window_seconds")),
    Move("request_timeout", ("http_client", "timeout")),
    Move("circuit_breaker_threshold", ("circuit_breaker", "failure_threshold")),
    Move("circuit_breaker_timeout", ("circuit_breaker", "recovery_timeout")),
    Move("log_level", ("logging", "level")),
    Move("log_file", ("logging", "file")),
    Move("database", ("storage",)),
    Move("max_tokens_default", ("summary_max_tokens",), within=("condensation",)),
    Move("error_keywords", ("error_patterns",), within=("condensation",)),
    Move("keepalive_timeout", ("keepalive_expiry",), within=("providers", "*")),
    Move("keepalive_timeout", ("keepalive_expiry",), within=("http_client", "pool_limits")),
)


def normalise(root: Node, faults: list[Fault]) -> Node:
    """Gives the tree in the nested shape; one thing given in two spellings with different values is a fault."""
    for move in MOVES:
        root = change_at(root, move.within, lambda node, move=move: _moved(node, move, faults))  # type: ignore[misc]
    return root


def _moved(node: Node, move: Move, faults: list[Fault]) -> Node:
    if move.old not in node.entries:
        return node
    rest = {key: value for key, value in node.entries.items() if key != move.old}
    return _placed(node.with_value(rest), move.new, node.entries[move.old], faults)


def _placed(section: Node, path: Pattern, moved: Node, faults: list[Fault]) -> Node:
    """Gives `section` with `moved` at `path`; a section that is no mapping stays, for the schema to refuse."""
    head, rest = path[0], path[1:]
    there = section.entries.get(head)
    if rest:
        inner = there if there is not None and there.value is not None else None
        if inner is None:
            inner = Node({}, moved.path, moved.place, moved.key_place)
        elif not inner.is_mapping:
            return section
        return section.with_value({**section.entries, head: _placed(inner, rest, moved, faults)})
    if there is None:
        return section.with_value({**section.entries, head: moved})
    if there.plain() != moved.plain():
        line = there.key_place.line
        faults.append(moved.key_fault(f"differs from `{show_path(there.path)}` on line {line}; give one of them"))
    return section
