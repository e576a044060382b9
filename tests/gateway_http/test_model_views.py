"""The JSON of models where it says more than the contract's message."""

import pytest

from gateway_http.model_views import model, provider_model, provider_models, refreshed_models, selection
from trunkline.v1.models_service_pb2 import (
    PROVIDER_STATUS_DEGRADED,
    PROVIDER_STATUS_DISABLED,
    PROVIDER_STATUS_HEALTHY,
    PROVIDER_STATUS_UNHEALTHY,
    PROVIDER_STATUS_UNSPECIFIED,
    ListProviderModelsResponse,
    Model,
    ModelList,
    ModelSelection,
    ProviderStatus,
    RefreshProviderModelsResponse,
)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (PROVIDER_STATUS_UNSPECIFIED, "active"),
        (PROVIDER_STATUS_HEALTHY, "active"),
        (PROVIDER_STATUS_DEGRADED, "degraded"),
        (PROVIDER_STATUS_UNHEALTHY, "unavailable"),
        (PROVIDER_STATUS_DISABLED, "disabled"),
    ],
)
def test_a_model_is_as_its_provider_is(status: ProviderStatus, word: str) -> None:
    assert provider_model(Model(status=status))["status"] == word


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (["chat", "tools", "vision"], ["text_generation", "chat", "tools", "vision"]),
        (["text"], ["text_generation"]),
        (["chat", "images", "text"], ["text_generation", "chat", "image_generation"]),
        (["embeddings"], ["embeddings"]),
        (["videos"], ["video_generation"]),
        ([], []),
    ],
    ids=str,
)
def test_capabilities_have_the_documents_words(given: list[str], written: list[str]) -> None:
    assert provider_model(Model(capabilities=given))["capabilities"] == written


def test_what_is_not_known_is_null() -> None:
    written = provider_model(Model())
    assert (written["context_window"], written["max_tokens"]) == (None, None)
    assert written["pricing"] == {"input_per_million_tokens": None, "output_per_million_tokens": None, "currency": "USD"}
    assert (model(Model())["context_window"], model(Model())["max_tokens"]) == (None, None)


def test_a_price_of_nothing_is_a_price() -> None:
    pricing = provider_model(Model(input_usd_micros_per_million_tokens=0))["pricing"]
    assert pricing == {"input_per_million_tokens": 0.0, "output_per_million_tokens": None, "currency": "USD"}


def test_a_list_that_goes_on_says_where() -> None:
    whole = ModelList(provider="a", total_size=3)
    assert "next_page_token" not in provider_models(ListProviderModelsResponse(list=whole))
    assert provider_models(ListProviderModelsResponse(list=whole, next_page_token="2"))["next_page_token"] == "2"


@pytest.mark.parametrize(("error", "refreshed"), [("", True), ("timeout_error", False)], ids=["new", "old"])
def test_a_refresh_says_whether_the_list_is_new(error: str, refreshed: bool) -> None:
    written = refreshed_models(RefreshProviderModelsResponse(list=ModelList(refresh_error=error)))
    assert (written["refreshed"], written["refresh_error"]) == (refreshed, error or None)


def test_what_is_not_selected_is_null() -> None:
    written = selection(ModelSelection(name="providers/a/model_selection", selected_model="m", editable=False))
    assert (written["provider"], written["editable"]) == ("a", False)
    assert (written["priority"], written["max_tokens"], written["temperature"]) == (None, None, None)
