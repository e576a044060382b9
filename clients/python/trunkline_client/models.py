"""The models that can be asked for."""

from collections.abc import AsyncIterator, Iterator, Sequence

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from trunkline.v1.models_service_pb2 import (
    DeleteModelSelectionRequest,
    ExplainRouteRequest,
    ExplainRouteResponse,
    GetModelRequest,
    GetModelSelectionRequest,
    GetProviderModelRequest,
    ListModelsRequest,
    ListProviderModelsRequest,
    Model,
    ModelSelection,
    Operation,
    RefreshProviderModelsRequest,
    RefreshProviderModelsResponse,
    UpdateModelSelectionRequest,
)
from trunkline.v1.models_service_pb2_grpc import ModelsServiceStub
from trunkline_client.calls import CallDefaults, Metadata, ask, ask_sync, pages, pages_sync


class AsyncModels:
    """Tells which models there are.

    >>> from trunkline.v1.models_service_pb2 import ModelSelection
    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     async for model in client.models.list_models():
    ...         print(model.id, model.provider)
    ...     model = await client.models.get_model("echo")
    echo echo
    gpt-5 openai
    >>> model.name
    'models/echo'

    One provider's models, and what an operator selects of them:

    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     async for model in client.models.list_provider_models("openai"):
    ...         print(model.provider_model, model.context_window)
    ...     refreshed = await client.models.refresh_provider_models("openai")
    ...     selection = await client.models.update_model_selection(
    ...         ModelSelection(selected_model="gpt-5", max_tokens=2000), provider="openai"
    ...     )
    gpt-5 272000
    >>> refreshed.list.refresh_error
    ''
    >>> selection.max_tokens
    2000

    Where a request would go:

    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     route = await client.models.explain_route("echo")
    >>> [(step.place, step.provider) for step in route.steps]
    [(1, 'echo')]
    """

    def __init__(self, channel: grpc.aio.Channel, defaults: CallDefaults) -> None:
        self._stub = ModelsServiceStub(channel)
        self._defaults = defaults

    async def list_models(
        self, *, page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[Model]:
        """Lists the models by name, getting page after page as they are needed.

        Args:
            page_size: the most models in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed.
        """
        async for page in pages(
            lambda token: ask(
                self._stub.ListModels,
                ListModelsRequest(page_size=page_size, page_token=token),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            for model in page.models:
                yield model

    async def get_model(self, model_id: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Model:
        """Gets one model by the name that a caller asks for.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such model.
        """
        request = GetModelRequest(name=f"models/{model_id}")
        response, _ = await ask(self._stub.GetModel, request, self._defaults, timeout_s, metadata)
        return response.model

    async def list_provider_models(
        self, provider: str, *, page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> AsyncIterator[Model]:
        """Lists all models of one provider by its names for them, getting page after page as they are needed.

        Args:
            provider: its name in the gateway's configuration.
            page_size: the most models in a page. 0: the gateway's default.
            timeout_s: from each page's call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: a call failed; `NotFoundError` where there is no such provider.
        """
        async for page in pages(
            lambda token: ask(
                self._stub.ListProviderModels,
                ListProviderModelsRequest(parent=_provider(provider), page_size=page_size, page_token=token),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            for model in page.models:
                yield model

    async def get_provider_model(
        self, provider: str, model: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Model:
        """Gets one model of one provider, by the provider's name for it.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider or model.
        """
        request = GetProviderModelRequest(name=f"{_provider(provider)}/models/{model}")
        response, _ = await ask(self._stub.GetProviderModel, request, self._defaults, timeout_s, metadata)
        return response.model

    async def refresh_provider_models(
        self, provider: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> RefreshProviderModelsResponse:
        """Has the gateway ask a provider for its models anew. Needs a key with the permission `admin`.

        Returns:
            The models; where the provider failed those of before, with `list.refresh_error`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider.
        """
        request = RefreshProviderModelsRequest(name=_provider(provider))
        response, _ = await ask(self._stub.RefreshProviderModels, request, self._defaults, timeout_s, metadata)
        return response

    async def get_model_selection(
        self, provider: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> ModelSelection:
        """Gets what is selected for a provider.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider, or no selection.
        """
        request = GetModelSelectionRequest(name=_selection(provider))
        response, _ = await ask(self._stub.GetModelSelection, request, self._defaults, timeout_s, metadata)
        return response.model_selection

    async def update_model_selection(
        self,
        selection: ModelSelection,
        *,
        provider: str = "",
        update_mask: Sequence[str] = (),
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> ModelSelection:
        """Selects a model of a provider. Needs a key with the permission `admin`.

        Args:
            selection: what to select.
            provider: for which; empty: the one that `selection.name` names.
            update_mask: the fields to set; the others stay. Empty: all.
            timeout_s: from the call to its deadline. None: the client's.
            metadata: sent along, in addition to the client's.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider.
        """
        request = _update(selection, provider, update_mask)
        response, _ = await ask(self._stub.UpdateModelSelection, request, self._defaults, timeout_s, metadata)
        return response.model_selection

    async def delete_model_selection(
        self, provider: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> None:
        """Takes a provider's selection back. Needs a key with the permission `admin`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider.
        """
        request = DeleteModelSelectionRequest(name=_selection(provider))
        await ask(self._stub.DeleteModelSelection, request, self._defaults, timeout_s, metadata)

    async def explain_route(
        self,
        model: str,
        operation: Operation = Operation.OPERATION_CHAT,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> ExplainRouteResponse:
        """Tells where a request for a model would go now, in which order, and why not elsewhere.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where nobody serves the model.
        """
        request = ExplainRouteRequest(model=model, operation=operation)
        response, _ = await ask(self._stub.ExplainRoute, request, self._defaults, timeout_s, metadata)
        return response


class Models:
    """Tells which models there are, to threads. As `AsyncModels`.

    >>> from trunkline_client import Client
    >>> with Client("127.0.0.1:50051") as client:
    ...     [model.id for model in client.models.list_models()]
    ['echo', 'gpt-5']
    """

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        self._stub = ModelsServiceStub(channel)
        self._defaults = defaults

    def list_models(self, *, page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()) -> Iterator[Model]:
        """Lists the models by name."""
        for page in pages_sync(
            lambda token: ask_sync(
                self._stub.ListModels,
                ListModelsRequest(page_size=page_size, page_token=token),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            yield from page.models

    def get_model(self, model_id: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> Model:
        """Gets one model by the name that a caller asks for."""
        request = GetModelRequest(name=f"models/{model_id}")
        response, _ = ask_sync(self._stub.GetModel, request, self._defaults, timeout_s, metadata)
        return response.model

    def list_provider_models(
        self, provider: str, *, page_size: int = 0, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Iterator[Model]:
        """Lists all models of one provider by its names for them."""
        for page in pages_sync(
            lambda token: ask_sync(
                self._stub.ListProviderModels,
                ListProviderModelsRequest(parent=_provider(provider), page_size=page_size, page_token=token),
                self._defaults,
                timeout_s,
                metadata,
            )
        ):
            yield from page.models

    def get_provider_model(
        self, provider: str, model: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> Model:
        """Gets one model of one provider, by the provider's name for it."""
        request = GetProviderModelRequest(name=f"{_provider(provider)}/models/{model}")
        response, _ = ask_sync(self._stub.GetProviderModel, request, self._defaults, timeout_s, metadata)
        return response.model

    def refresh_provider_models(
        self, provider: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> RefreshProviderModelsResponse:
        """Has the gateway ask a provider for its models anew."""
        request = RefreshProviderModelsRequest(name=_provider(provider))
        response, _ = ask_sync(self._stub.RefreshProviderModels, request, self._defaults, timeout_s, metadata)
        return response

    def get_model_selection(
        self, provider: str, *, timeout_s: float | None = None, metadata: Metadata = ()
    ) -> ModelSelection:
        """Gets what is selected for a provider."""
        request = GetModelSelectionRequest(name=_selection(provider))
        response, _ = ask_sync(self._stub.GetModelSelection, request, self._defaults, timeout_s, metadata)
        return response.model_selection

    def update_model_selection(
        self,
        selection: ModelSelection,
        *,
        provider: str = "",
        update_mask: Sequence[str] = (),
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> ModelSelection:
        """Selects a model of a provider."""
        request = _update(selection, provider, update_mask)
        response, _ = ask_sync(self._stub.UpdateModelSelection, request, self._defaults, timeout_s, metadata)
        return response.model_selection

    def delete_model_selection(self, provider: str, *, timeout_s: float | None = None, metadata: Metadata = ()) -> None:
        """Takes a provider's selection back."""
        request = DeleteModelSelectionRequest(name=_selection(provider))
        ask_sync(self._stub.DeleteModelSelection, request, self._defaults, timeout_s, metadata)

    def explain_route(
        self,
        model: str,
        operation: Operation = Operation.OPERATION_CHAT,
        *,
        timeout_s: float | None = None,
        metadata: Metadata = (),
    ) -> ExplainRouteResponse:
        """Tells where a request for a model would go now. As `AsyncModels.explain_route`."""
        request = ExplainRouteRequest(model=model, operation=operation)
        response, _ = ask_sync(self._stub.ExplainRoute, request, self._defaults, timeout_s, metadata)
        return response


def _provider(provider: str) -> str:
    return f"providers/{provider}"


def _selection(provider: str) -> str:
    return f"{_provider(provider)}/model_selection"


def _update(selection: ModelSelection, provider: str, update_mask: Sequence[str]) -> UpdateModelSelectionRequest:
    mask = FieldMask(paths=update_mask) if update_mask else None
    request = UpdateModelSelectionRequest(model_selection=selection, update_mask=mask)
    if provider:
        request.model_selection.name = _selection(provider)
    return request
