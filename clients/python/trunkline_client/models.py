"""The models that can be asked for."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Unpack

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
from trunkline_client.calls import AsyncCalls, CallDefaults, Calls, Options


class AsyncModels(AsyncCalls):
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
        super().__init__(defaults)
        self._stub = ModelsServiceStub(channel)

    def list_models(self, *, page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[Model]:
        """Lists the models by name, getting page after page as they are needed.

        Args:
            page_size: the most models in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed.
        """
        request = ListModelsRequest(page_size=page_size)
        return self._all(self._stub.ListModels, request, lambda page: page.models, options)

    async def get_model(self, model_id: str, **options: Unpack[Options]) -> Model:
        """Gets one model by the name that a caller asks for.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such model.
        """
        request = GetModelRequest(name=f"models/{model_id}")
        return (await self._ask(self._stub.GetModel, request, options)).model

    def list_provider_models(self, provider: str, *, page_size: int = 0, **options: Unpack[Options]) -> AsyncIterator[Model]:
        """Lists all models of one provider by its names for them, getting page after page as they are needed.

        Args:
            provider: its name in the gateway's configuration.
            page_size: the most models in a page. 0: the gateway's default.

        Raises:
            TrunklineError: a call failed; `NotFoundError` where there is no such provider.
        """
        request = ListProviderModelsRequest(parent=_provider(provider), page_size=page_size)
        return self._all(self._stub.ListProviderModels, request, lambda page: page.models, options)

    async def get_provider_model(self, provider: str, model: str, **options: Unpack[Options]) -> Model:
        """Gets one model of one provider, by the provider's name for it.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider or model.
        """
        request = GetProviderModelRequest(name=f"{_provider(provider)}/models/{model}")
        return (await self._ask(self._stub.GetProviderModel, request, options)).model

    async def refresh_provider_models(self, provider: str, **options: Unpack[Options]) -> RefreshProviderModelsResponse:
        """Has the gateway ask a provider for its models anew. Needs a key with the permission `admin`.

        Returns:
            The models; where the provider failed those of before, with `list.refresh_error`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider.
        """
        request = RefreshProviderModelsRequest(name=_provider(provider))
        return await self._ask(self._stub.RefreshProviderModels, request, options)

    async def get_model_selection(self, provider: str, **options: Unpack[Options]) -> ModelSelection:
        """Gets what is selected for a provider.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider, or no selection.
        """
        request = GetModelSelectionRequest(name=_selection(provider))
        return (await self._ask(self._stub.GetModelSelection, request, options)).model_selection

    async def update_model_selection(
        self, selection: ModelSelection, *, provider: str = "", update_mask: Sequence[str] = (), **options: Unpack[Options]
    ) -> ModelSelection:
        """Selects a model of a provider. Needs a key with the permission `admin`.

        Args:
            selection: what to select.
            provider: for which; empty: the one that `selection.name` names.
            update_mask: the fields to set; the others stay. Empty: all.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider.
        """
        request = _update(selection, provider, update_mask)
        return (await self._ask(self._stub.UpdateModelSelection, request, options)).model_selection

    async def delete_model_selection(self, provider: str, **options: Unpack[Options]) -> None:
        """Takes a provider's selection back. Needs a key with the permission `admin`.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where there is no such provider.
        """
        await self._ask(self._stub.DeleteModelSelection, DeleteModelSelectionRequest(name=_selection(provider)), options)

    async def explain_route(
        self, model: str, operation: Operation = Operation.OPERATION_CHAT, **options: Unpack[Options]
    ) -> ExplainRouteResponse:
        """Tells where a request for a model would go now, in which order, and why not elsewhere.

        Raises:
            TrunklineError: the call failed; `NotFoundError` where nobody serves the model.
        """
        request = ExplainRouteRequest(model=model, operation=operation)
        return await self._ask(self._stub.ExplainRoute, request, options)


class Models(Calls):
    """Tells which models there are, to threads. As `AsyncModels`.

    >>> from trunkline_client import Client
    >>> with Client("127.0.0.1:50051") as client:
    ...     [model.id for model in client.models.list_models()]
    ['echo', 'gpt-5']
    """

    def __init__(self, channel: grpc.Channel, defaults: CallDefaults) -> None:
        super().__init__(defaults)
        self._stub = ModelsServiceStub(channel)

    def list_models(self, *, page_size: int = 0, **options: Unpack[Options]) -> Iterator[Model]:
        """Lists the models by name."""
        request = ListModelsRequest(page_size=page_size)
        return self._all(self._stub.ListModels, request, lambda page: page.models, options)

    def get_model(self, model_id: str, **options: Unpack[Options]) -> Model:
        """Gets one model by the name that a caller asks for."""
        request = GetModelRequest(name=f"models/{model_id}")
        return self._ask(self._stub.GetModel, request, options).model

    def list_provider_models(self, provider: str, *, page_size: int = 0, **options: Unpack[Options]) -> Iterator[Model]:
        """Lists all models of one provider by its names for them."""
        request = ListProviderModelsRequest(parent=_provider(provider), page_size=page_size)
        return self._all(self._stub.ListProviderModels, request, lambda page: page.models, options)

    def get_provider_model(self, provider: str, model: str, **options: Unpack[Options]) -> Model:
        """Gets one model of one provider, by the provider's name for it."""
        request = GetProviderModelRequest(name=f"{_provider(provider)}/models/{model}")
        return self._ask(self._stub.GetProviderModel, request, options).model

    def refresh_provider_models(self, provider: str, **options: Unpack[Options]) -> RefreshProviderModelsResponse:
        """Has the gateway ask a provider for its models anew."""
        request = RefreshProviderModelsRequest(name=_provider(provider))
        return self._ask(self._stub.RefreshProviderModels, request, options)

    def get_model_selection(self, provider: str, **options: Unpack[Options]) -> ModelSelection:
        """Gets what is selected for a provider."""
        request = GetModelSelectionRequest(name=_selection(provider))
        return self._ask(self._stub.GetModelSelection, request, options).model_selection

    def update_model_selection(
        self, selection: ModelSelection, *, provider: str = "", update_mask: Sequence[str] = (), **options: Unpack[Options]
    ) -> ModelSelection:
        """Selects a model of a provider."""
        request = _update(selection, provider, update_mask)
        return self._ask(self._stub.UpdateModelSelection, request, options).model_selection

    def delete_model_selection(self, provider: str, **options: Unpack[Options]) -> None:
        """Takes a provider's selection back."""
        self._ask(self._stub.DeleteModelSelection, DeleteModelSelectionRequest(name=_selection(provider)), options)

    def explain_route(
        self, model: str, operation: Operation = Operation.OPERATION_CHAT, **options: Unpack[Options]
    ) -> ExplainRouteResponse:
        """Tells where a request for a model would go now. As `AsyncModels.explain_route`."""
        request = ExplainRouteRequest(model=model, operation=operation)
        return self._ask(self._stub.ExplainRoute, request, options)


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
