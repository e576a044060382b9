"""Cuts the schemas that the tests need out of OpenAI's OpenAPI document.

In comes the path of the document (repository openai/openai-openapi, `openapi.yaml`), out goes `openai_schemas.json`
beside this file: the wanted components with everything they refer to, without the keywords that assert nothing. Run by
hand when a newer document is taken, with the `COMMIT` and `DATE` of that document set here:

    python tests/data/openai_schema_extraction.py openapi.yaml
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

COMMIT = "f85dbe223d40e1a31cba812ab2d755c7e98a92a3"
DATE = "2026-08-21"
WANTED = (
    "CreateChatCompletionRequest",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "CreateCompletionRequest",
    "CreateCompletionResponse",
    "CreateEmbeddingRequest",
    "CreateEmbeddingResponse",
    "CreateImageRequest",
    "ErrorResponse",
    "ImageGenStreamEvent",
    "ImagesResponse",
    "ListModelsResponse",
    "Model",
)
SILENT = {"description", "title", "default", "deprecated", "discriminator", "example", "examples", "format"}
PREFIX = "#/components/schemas/"


def bare(schema: object) -> object:
    """Drops the keywords that assert nothing, but no property that happens to bear such a name."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, object] = {}
    for keyword, value in schema.items():
        if keyword == "properties":
            kept[keyword] = {name: bare(property_schema) for name, property_schema in value.items()}
        elif keyword not in SILENT and not keyword.startswith("x-"):
            kept[keyword] = bare(value)
    return kept


def references(schema: object) -> Iterator[str]:
    """Yields the names of all components that a schema refers to."""
    if isinstance(schema, list):
        for item in schema:
            yield from references(item)
    elif isinstance(schema, dict):
        for keyword, value in schema.items():
            if keyword == "$ref" and isinstance(value, str):
                yield value.removeprefix(PREFIX)
            else:
                yield from references(value)


def closure(components: dict[str, object]) -> dict[str, object]:
    """Returns the wanted components and all that they lead to, by name."""
    found: dict[str, object] = {}
    pending = list(WANTED)
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = bare(components[name])
            pending.extend(references(found[name]))
    return dict(sorted(found.items()))


def main(document_path: str) -> None:
    document = yaml.load(Path(document_path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    extract = {
        "source": {"repository": "openai/openai-openapi", "commit": COMMIT, "date": DATE},
        "schemas": closure(document["components"]["schemas"]),
    }
    target = Path(__file__).with_name("openai_schemas.json")
    target.write_text(json.dumps(extract, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
