"""The models that can be asked for."""

from collections.abc import AsyncIterator, Iterator

import grpc

from trunkline.v1.models_service_pb2 import GetModelRequest, ListModelsRequest, Model
from trunkline.v1.models_service_pb2_grpc import ModelsServiceStub
from trunkline_client.calls import CallDefaults, Metadata, ask, ask_sync, pages, pages_sync


class AsyncModels:
    """Tells which models there are.

    >>> from trunkline_client import AsyncClient
    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     async for model in client.models.list_models():
    ...         print(model.id, model.provider)
    ...     model = await client.models.get_model("echo")
    echo echo
    gpt-5 openai
    >>> model.name
    'models/echo'
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
