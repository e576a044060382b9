"""Path templates of `google.api.http` -> paths as Sanic writes them, and what their variables are made of.

`/v1/{alert.name=alerts/*}:mute` is the path `/v1/alerts/<v0:...>`, whose `v0` makes `alert.name`, with `alerts/` before it.
Source: google/api/http.proto, "Path template syntax" (2026-11).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

_VARIABLE = re.compile(r"\{([A-Za-z0-9_.]+)(?:=([^}]*))?\}")
_VERB = re.compile(r":([A-Za-z]+)$")


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
        ValueError: it has a verb after something that is not one segment.
    """
    verb = _VERB.search(text)
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

    path = _VARIABLE.sub(variable, text[: verb.start()] if verb else text)
    if verb is None:
        return Template(path, fields)
    if not path.endswith(">"):
        return Template(f"{path}:{verb[1]}", fields)
    name = f"v{count - 1}"
    if not path.endswith(f"<{name}>"):
        raise ValueError(f"{text}: a verb may follow one segment only")
    return Template(f"{path.removesuffix(f'<{name}>')}<{name}:(?P<{name}>[^/:]+):{verb[1]}>", fields)
