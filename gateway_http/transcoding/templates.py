"""Path templates of `google.api.http` -> paths as Sanic writes them, and what their variables are made of.

`/v1/{alert.name=alerts/*}` is the path `/v1/alerts/<v0>`, whose `v0` makes `alert.name`, with `alerts/` before it.
Source: google/api/http.proto, "Path template syntax" (2026-11). Verbs (`:cancel`) are refused: Sanic's router cannot tell
`/v1/alerts/1:cancel` from `/v1/alerts/1`.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

_VARIABLE = re.compile(r"\{([A-Za-z0-9_.]+)(?:=([^}]*))?\}")
_VERB = re.compile(r":[A-Za-z]+$")


class Template(NamedTuple):
    """A path.

    Attributes:
        path: as Sanic writes it; what varies is named `v0`, `v1` and so on.
        fields: by the path of a field in the request, the segments that make its value: literals, and names of what varies.
    """

    path: str
    fields: Mapping[str, tuple[str, ...]]

    def values(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The texts of the fields that the path binds, from what Sanic found in a request's path."""
        return {
            field: "/".join(unquote(variables[segment]) if segment in variables else segment for segment in segments)
            for field, segments in self.fields.items()
        }


def template(text: str) -> Template:
    """Reads a template.

    Raises:
        ValueError: it has a verb.
    """
    if _VERB.search(text):
        raise ValueError(f"{text}: a path with a verb cannot be served")
    count = 0
    fields: dict[str, tuple[str, ...]] = {}

    def variable(match: re.Match[str]) -> str:
        nonlocal count
        segments, path = [], []
        for segment in (match[2] or "*").split("/"):
            if segment not in ("*", "**"):
                segments.append(segment)
                path.append(segment)
                continue
            name = f"v{count}"
            count += 1
            segments.append(name)
            path.append(f"<{name}>" if segment == "*" else f"<{name}:path>")
        fields[match[1]] = tuple(segments)
        return "/".join(path)

    return Template(_VARIABLE.sub(variable, text), fields)
