"""What Gemini's API refuses in a request.

In comes a body and the model that it was sent to, out comes nothing or a `Refused` in the words of the API, which reads
JSON into protocol buffers and tells of unknown fields by their place. Source: https://ai.google.dev/api/generate-content and
https://ai.google.dev/api/caching (2026-11) for the names of fields.
"""

import re
from collections.abc import Collection, Sequence

from tests.fakes.dialect import Refused
from tests.fakes.gemini_turns import check_turns
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent"}
GENERATION_FIELDS = {
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "candidateCount",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "speechConfig",
    "thinkingConfig",
    "imageConfig",
    "mediaResolution",
}
DATA_FIELDS = {
    "text": None,
    "inlineData": {"mimeType", "data"},
    "fileData": {"mimeType", "fileUri"},
    "functionCall": {"id", "name", "args"},
    "functionResponse": {"id", "name", "response", "parts"},
    "executableCode": {"language", "code"},
    "codeExecutionResult": {"outcome", "output"},
}
PART_FIELDS = {*DATA_FIELDS, "thought", "thoughtSignature", "videoMetadata"}
TOOLS = {
    "functionDeclarations",
    "googleSearch",
    "googleSearchRetrieval",
    "googleMaps",
    "urlContext",
    "codeExecution",
    "computerUse",
    "fileSearch",
}
DECLARATION_FIELDS = {"name", "description", "parameters", "parametersJsonSchema", "response", "behavior"}
FUNCTION_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
SCHEMA_FIELDS = {
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
}
EMBEDDING_FIELDS = {"model", "content", "taskType", "title", "outputDimensionality"}
VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
MOST_EMBEDDINGS = 100


def refuse(message: str) -> Refused:
    return Refused(VendorError(400, message, "INVALID_ARGUMENT"))


def check_generation(body: JsonObject, model: str) -> None:
    """Refuses what `generateContent` refuses."""
    _check_fields(body, FIELDS, "")
    contents = body.get("contents")
    if not contents:
        raise refuse("* GenerateContentRequest.contents: contents is not specified")
    for index, content in enumerate(contents):
        _check_content(content, f"contents[{index}]")
    check_turns(contents, signed=_version(model) >= (3, 0))
    if "systemInstruction" in body:
        _check_content(body["systemInstruction"], "system_instruction")
        if any("text" not in part for part in body["systemInstruction"]["parts"]):
            raise refuse("System instruction takes text only.")
    names = _check_tools(body)
    _check_config(body.get("generationConfig", {}), model, calls=bool(names))


def check_embeddings(body: JsonObject, model: str) -> None:
    """Refuses what `batchEmbedContents` refuses."""
    _check_fields(body, {"requests"}, "")
    requests = body.get("requests")
    if not requests or len(requests) > MOST_EMBEDDINGS:
        raise refuse(f"* BatchEmbedContentsRequest.requests: at most {MOST_EMBEDDINGS} requests can be in one batch")
    for index, request in enumerate(requests):
        _check_fields(request, EMBEDDING_FIELDS, f"requests[{index}]")
        if request.get("model") != model:
            raise refuse(f"* BatchEmbedContentsRequest.requests[{index}].model: unexpected model name format")
        _check_content(request.get("content"), f"requests[{index}].content")


def _version(model: str) -> tuple[int, int]:
    found = VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _check_fields(value: object, known: Collection[str], place: str) -> None:
    at = f" at '{place}'" if place else ""
    if not isinstance(value, dict):
        raise refuse(f"Invalid value{at}: a message was expected.")
    for name in value:
        if name not in known:
            raise refuse(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')


def _check_content(content: object, place: str) -> None:
    _check_fields(content, {"role", "parts"}, place)
    parts = content.get("parts") if isinstance(content, dict) else None
    if not parts:
        raise refuse(f"* GenerateContentRequest.{place}.parts: contents.parts must not be empty.")
    for index, part in enumerate(parts):
        _check_part(part, f"{place}.parts[{index}]")


def _check_part(part: JsonObject, place: str) -> None:
    _check_fields(part, PART_FIELDS, place)
    data = [name for name in part if name in DATA_FIELDS]
    if len(data) != 1:
        raise refuse(f"* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field")
    (kind,) = data
    known = DATA_FIELDS[kind]
    if known is None:
        if not isinstance(part["text"], str) or not (part["text"] or "thoughtSignature" in part):
            raise refuse(f"Invalid value at '{place}.text': a text that is not empty was expected.")
        return
    _check_fields(part[kind], known, f"{place}.{kind}")
    for name in ("args", "response"):
        if name in part[kind] and not isinstance(part[kind][name], dict):
            raise refuse(f"Invalid value at '{place}.{kind}.{name}': a struct was expected.")
    if kind == "fileData" and not part[kind].get("fileUri"):
        raise refuse(f"Invalid value at '{place}.fileData.fileUri'.")


def _check_tools(body: JsonObject) -> list[str]:
    """Returns the names of the functions that are declared."""
    names: list[str] = []
    for index, tool in enumerate(body.get("tools", [])):
        _check_fields(tool, TOOLS, f"tools[{index}]")
        for place, declaration in enumerate(tool.get("functionDeclarations", [])):
            _check_declaration(declaration, f"tools[{index}].function_declarations[{place}]")
            names.append(declaration["name"])
    if len(set(names)) < len(names):
        raise refuse("Duplicate function declaration found.")
    if "toolConfig" not in body:
        return names
    _check_fields(body["toolConfig"], {"functionCallingConfig", "retrievalConfig"}, "tool_config")
    config = body["toolConfig"].get("functionCallingConfig", {})
    _check_fields(config, {"mode", "allowedFunctionNames"}, "tool_config.function_calling_config")
    if config.get("mode") not in ("AUTO", "NONE", "ANY", "VALIDATED"):
        raise refuse("Invalid value at 'tool_config.function_calling_config.mode'.")
    if not names:
        raise refuse("Function calling config is set without function_declarations.")
    allowed = config.get("allowedFunctionNames", [])
    if allowed and config["mode"] != "ANY":
        raise refuse("Allowed function names should only be set when the function calling mode is ANY.")
    if set(allowed) - set(names):
        raise refuse("Allowed function names has a name that is not declared.")
    return names


def _check_declaration(declaration: JsonObject, place: str) -> None:
    _check_fields(declaration, DECLARATION_FIELDS, place)
    if not FUNCTION_NAME.fullmatch(declaration.get("name", "")):
        raise refuse(f"* GenerateContentRequest.{place}.name: Invalid function name.")
    schema = declaration.get("parametersJsonSchema")
    if schema is not None:
        if schema.get("type") != "object":
            raise refuse(f"* GenerateContentRequest.{place}.parameters_json_schema: schema should be of OBJECT type")
        _check_schema(schema, f"{place}.parameters_json_schema")


def _check_schema(schema: object, place: str) -> None:
    if not isinstance(schema, dict):
        return
    _check_fields(schema, SCHEMA_FIELDS, place)
    if "$ref" in schema and any(not name.startswith("$") for name in schema):
        raise refuse(f"{place}: nothing may stand beside $ref.")
    for name in ("properties", "required"):
        if name in schema and not schema[name]:
            raise refuse(f"{place}.{name}: should be non-empty for OBJECT type")
    inner: Sequence[object] = (schema.get("items"), schema.get("additionalProperties"))
    for name in ("properties", "$defs"):
        inner = [*inner, *schema.get(name, {}).values()]
    for name in ("anyOf", "prefixItems"):
        inner = [*inner, *schema.get(name, [])]
    for item in inner:
        _check_schema(item, place)


def _check_config(config: JsonObject, model: str, *, calls: bool) -> None:
    _check_fields(config, GENERATION_FIELDS, "generation_config")
    place = "* GenerateContentRequest.generation_config"
    if not 0 <= config.get("temperature", 1) <= 2:
        raise refuse(f"{place}.temperature: must be in the range [0.0, 2.0]")
    if len(config.get("stopSequences", [])) > 5:
        raise refuse(f"{place}.stop_sequences: at most 5 stop sequences are allowed")
    if not 1 <= config.get("candidateCount", 1) <= 8:
        raise refuse(f"{place}.candidate_count: must be in the range [1, 8]")
    if not -(1 << 31) <= config.get("seed", 0) < 1 << 31:
        raise refuse("Invalid value at 'generation_config.seed' (TYPE_INT32)")
    newer = _version(model) >= (2, 5)
    if newer and (config.get("presencePenalty") or config.get("frequencyPenalty")):
        raise refuse("Penalty is not enabled for this model")
    if newer and config.get("responseLogprobs"):
        raise refuse(f"Logprobs is not enabled for models/{model}")
    if "logprobs" in config and not config.get("responseLogprobs"):
        raise refuse("Logprobs is set without response_logprobs.")
    if config.get("responseMimeType") == "application/json":
        if calls and _version(model) < (3, 0):
            raise refuse("Function calling with a response mime type: 'application/json' is unsupported")
    elif "responseJsonSchema" in config:
        raise refuse("A response schema needs the response mime type 'application/json'.")
    if "responseJsonSchema" in config:
        _check_schema(config["responseJsonSchema"], "generation_config.response_json_schema")
    if "thinkingConfig" in config:
        _check_thinking(config["thinkingConfig"], model)


def _check_thinking(thinking: JsonObject, model: str) -> None:
    _check_fields(thinking, {"includeThoughts", "thinkingBudget", "thinkingLevel"}, "generation_config.thinking_config")
    version = _version(model)
    if {"thinkingBudget", "thinkingLevel"} <= thinking.keys():
        raise refuse("You can only set only one of thinking budget and thinking level.")
    if version < (2, 5):
        raise refuse("Thinking is not enabled for this model")
    if "thinkingLevel" in thinking:
        levels = ("LOW", "HIGH") if "gemini-3-pro" in model else ("MINIMAL", "LOW", "MEDIUM", "HIGH")
        if version < (3, 0) or thinking["thinkingLevel"] not in levels:
            raise refuse("Thinking level is not supported for this model.")
    if thinking.get("thinkingBudget") == 0 and "pro" in model:
        raise refuse("Budget 0 is invalid. This model only works in thinking mode.")
