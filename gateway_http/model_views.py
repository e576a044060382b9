"""The JSON of models, of providers' lists of them, and of what is selected. Pure: message -> JSON object."""

from collections.abc import Iterable
from typing import Literal, cast

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.transcoding.json_rules import Json
from trunkline.v1.models_service_pb2 import (
    ListProviderModelsResponse,
    Model,
    ModelList,
    ModelSelection,
    ProviderStatus,
    RefreshProviderModelsResponse,
)

_STATUS = {"healthy": "active", "unspecified": "active", "unhealthy": "unavailable"}
"""A provider's status -> its models', where the words differ."""
_GENERATION = {"text": "text_generation", "images": "image_generation", "videos": "video_generation"}


def model(message: Model) -> Json:
    """A model in the list of all: OpenAI's fields, and who serves it, how that one does, and what is known of it."""
    return {
        "id": message.id,
        "object": "model",
        "created": message.create_time.seconds,
        "owned_by": message.owned_by,
        "provider": message.provider,
        "provider_type": message.provider_type,
        "status": _status(message),
        "enabled": message.enabled,
        "forced": message.forced,
        "context_window": _known(message, "context_window"),
        "max_tokens": _known(message, "max_output_tokens"),
    }


def provider_model(message: Message) -> Json:
    """`GET /v1/providers/{provider}/models/{model}`: by the provider's name; `model` is what callers ask for."""
    given = cast(Model, message)
    status = _status(given)
    return {
        "id": given.provider_model,
        "object": "model",
        "created": given.create_time.seconds,
        "owned_by": given.owned_by,
        "provider": given.provider,
        "model": given.id,
        "status": _STATUS.get(status, status),
        "capabilities": _capabilities(given.capabilities),
        "context_window": _known(given, "context_window"),
        "max_tokens": _known(given, "max_output_tokens"),
        "pricing": {
            "input_per_million_tokens": _dollars(given, "input_usd_micros_per_million_tokens"),
            "output_per_million_tokens": _dollars(given, "output_usd_micros_per_million_tokens"),
            "currency": "USD",
        },
    }


def provider_models(message: Message) -> Json:
    """`GET /v1/providers/{provider}/models`. `next_page_token` is there where there is a next page."""
    given = cast(ListProviderModelsResponse, message)
    written = _list(given.models, given.list)
    return {**written, "next_page_token": given.next_page_token} if given.next_page_token else written


def refreshed_models(message: Message) -> Json:
    """`POST /v1/providers/{provider}/models/refresh`: the list, and whether it is new."""
    given = cast(RefreshProviderModelsResponse, message)
    return {**_list(given.models, given.list), "refreshed": not given.list.refresh_error}


def selection(message: Message) -> Json:
    """`PUT /v1/providers/{provider}/model_selection`: null is "nothing selected"; `updated` is epoch seconds."""
    given = cast(ModelSelection, message)
    return {
        "object": "model_selection",
        "provider": given.name.removeprefix("providers/").removesuffix("/model_selection"),
        "selected_model": given.selected_model,
        "editable": given.editable,
        "priority": given.priority if given.HasField("priority") else None,
        "max_tokens": given.max_tokens if given.HasField("max_tokens") else None,
        "temperature": given.temperature if given.HasField("temperature") else None,
        "updated": _epoch(given.update_time),
    }


def _list(models: Iterable[Model], whole: ModelList) -> Json:
    return {
        "object": "list",
        "data": [provider_model(each) for each in models],
        "provider": whole.provider,
        "total": whole.total_size,
        "cached": whole.cached,
        "last_refresh": whole.refresh_time.seconds if whole.HasField("refresh_time") else None,
        "refresh_error": whole.refresh_error or None,
    }


def _capabilities(names: Iterable[str]) -> list[str]:
    """What makes text comes first, and is called so whether it chats or goes on."""
    given = set(names)
    text = {"text_generation"} if given & {"chat", "text"} else set()
    others = {_GENERATION.get(name, name) for name in given} - {"text_generation", "chat"}
    return [*sorted(text), *sorted(given & {"chat"}), *sorted(others)]


def _status(message: Model) -> str:
    return ProviderStatus.Name(message.status).removeprefix("PROVIDER_STATUS_").lower()


def _known(message: Model, field: Literal["context_window", "max_output_tokens"]) -> int | None:
    return cast(int, getattr(message, field)) if message.HasField(field) else None


def _dollars(
    message: Model, field: Literal["input_usd_micros_per_million_tokens", "output_usd_micros_per_million_tokens"]
) -> float | None:
    return cast(int, getattr(message, field)) / 1e6 if message.HasField(field) else None


def _epoch(timestamp: Timestamp) -> float:
    return timestamp.ToMilliseconds() / 1000
