"""Answers whose JSON shape a document fixes, where the transcoder's own would differ: one pure function for each RPC."""

from collections.abc import Mapping
from typing import cast

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway_http.model_views import provider_model, provider_models, refreshed_models, selection
from gateway_http.transcoding.json_rules import Json, to_json
from gateway_http.transcoding.routes import View
from trunkline.v1.admin_service_pb2 import ConfigStatus
from trunkline.v1.metrics_service_pb2 import Health


def health(message: Message) -> Json:
    """`GET /health`: `timestamp` is epoch seconds."""
    written = to_json(message)
    del written["current_time"]
    return {**written, "timestamp": _epoch(cast(Health, message).current_time)}


def config_status(message: Message) -> Json:
    """`GET /v1/config/status`: epoch seconds and milliseconds, and a list of errors, empty for what is in force."""
    status = cast(ConfigStatus, message)
    return {
        "status": status.status,
        "last_loaded": _epoch(status.load_time),
        "load_time_ms": round(status.load_duration.ToMicroseconds() / 1000, 3),
        "file_size_bytes": status.file_size_bytes,
        "providers_configured": status.providers_configured,
        "generation": status.generation,
        "validation_errors": [],
        "warnings": list(status.warnings),
    }


def _epoch(timestamp: Timestamp) -> float:
    return timestamp.ToMilliseconds() / 1000


VIEWS: Mapping[str, View] = {
    "trunkline.v1.ModelsService.ListProviderModels": provider_models,
    "trunkline.v1.ModelsService.GetProviderModel": provider_model,
    "trunkline.v1.ModelsService.RefreshProviderModels": refreshed_models,
    "trunkline.v1.ModelsService.GetModelSelection": selection,
    "trunkline.v1.ModelsService.UpdateModelSelection": selection,
    "trunkline.v1.MetricsService.GetHealth": health,
    "trunkline.v1.AdminService.GetConfigStatus": config_status,
}
