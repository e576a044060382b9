"""Settings that are read and checked but that nothing acts on yet. The table shrinks as features are built."""

from collections.abc import Iterator
from dataclasses import dataclass

from server.config.notice import Notice
from server.config.paths import show_path
from server.config.schema import LIMITED_PATHS, Settings
from server.config.tree import Node, Pattern


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """One feature: where it is configured, and the values that need nothing built."""

    code: str
    patterns: tuple[Pattern, ...]
    harmless: tuple[object, ...] = (None, False)


UNBUILT = (
    Unbuilt("condensation", (("condensation",),)),
    Unbuilt("caching", (("caching",),)),
    Unbuilt("memory", (("memory",),)),
    Unbuilt("health_check", tuple(("health_check", what) for what in ("context_service", "memory", "cache"))),
    Unbuilt("telemetry", (("telemetry",),)),
    Unbuilt("templates", (("templates",),)),
    Unbuilt("metrics_api", (("metrics_api",),)),
    Unbuilt("sanitize", (("security", "sanitize"),), ("off",)),
    Unbuilt("public_analytics", (("auth", "public_analytics"),)),
    Unbuilt("reload", (("server", "reload"),)),
    Unbuilt("log_rotation", (("logging", "rotation"),)),
)


def unbuilt_notices(root: Node, settings: Settings) -> Iterator[Notice]:
    """Makes one notice for each feature that the file asks for and that is not built.

    Args:
        root: The document in the nested shape: tells what the file gave, and where.
        settings: What came out of the same document, with the same providers in the same order.
    """
    for feature in UNBUILT:
        asked = (node for pattern in feature.patterns for node in _asked(root, settings, pattern, feature.harmless))
        first = min(asked, key=lambda node: node.key_place.line, default=None)
        if first is not None:
            path = show_path(first.path)
            yield Notice(feature.code, path, first.key_place.line, f"`{path}` is read, but nothing acts on it yet")
    yield from _endpoint_notices(root, settings)


def _endpoint_notices(root: Node, settings: Settings) -> Iterator[Notice]:
    """Makes one notice for each limit of an endpoint that nothing is counted for, mistyped or not built."""
    if settings.rate_limit is None or not settings.rate_limit.enabled:
        return
    known = (*LIMITED_PATHS.values(), *LIMITED_PATHS)
    for name in settings.rate_limit.endpoints:
        if name not in known:
            node = root.entries["rate_limit"].entries["endpoints"].entries[name]
            message = f"`{show_path(node.path)}` limits nothing; what can be limited: {', '.join(known)}"
            yield Notice("endpoint_limit", show_path(node.path), node.key_place.line, message)


def _asked(node: Node, value: object, pattern: Pattern, harmless: tuple[object, ...]) -> Iterator[Node]:
    """Walks the nodes at `pattern` whose value needs the feature, beside the settings that came out of them."""
    if getattr(value, "enabled", True) is False:
        return
    if not pattern:
        if value not in harmless:
            yield node
    elif pattern[0] == "*" and isinstance(value, tuple):
        for element, each in zip(node.elements, value, strict=True):
            yield from _asked(element, each, pattern[1:], harmless)
    elif pattern[0] in node.entries:
        yield from _asked(node.entries[pattern[0]], getattr(value, pattern[0]), pattern[1:], harmless)
