"""ModelsService: which models there are, and who serves them."""

from collections.abc import Callable

from server.call import Call
from server.errors import invalid_request
from server.runtime import ProviderRow, Runtime
from server.services.requests import check_model, page
from trunkline.v1.models_service_pb2 import (
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    Model,
)

_PREFIX = "models/"


class ModelsService:
    """Implements the contract's ModelsService.

    Args:
        runtime: gives the configuration in force.
    """

    def __init__(self, runtime: Callable[[], Runtime]) -> None:
        self._runtime = runtime

    async def ListModels(self, request: ListModelsRequest, call: Call) -> ListModelsResponse:
        """Lists the models that rows name; patterns stand for models that only their provider can list."""
        models = [
            _model(name, row)
            for row in self._runtime().rows.values()
            for name in row.settings.models
            if "*" not in name and row.settings.enabled
        ]
        models.sort(key=lambda model: model.id)
        models_of_page, token = page(models, request.page_size, request.page_token, default=1000)
        return ListModelsResponse(models=models_of_page, next_page_token=token)

    async def GetModel(self, request: GetModelRequest, call: Call) -> GetModelResponse:
        """Gets one model, as its first target serves it."""
        if not request.name.startswith(_PREFIX) or request.name == _PREFIX:
            raise invalid_request("`name` must be `models/{model}`.", "name")
        model = request.name.removeprefix(_PREFIX)
        check_model(model, "name")
        runtime = self._runtime()
        target = runtime.router.targets(model)[0]
        return GetModelResponse(model=_model(model, runtime.rows[target.settings.name]))


def _model(name: str, row: ProviderRow) -> Model:
    settings = row.settings
    return Model(
        name=f"{_PREFIX}{name}",
        id=name,
        owned_by=settings.type,
        provider=settings.name,
        provider_type=settings.type,
        status=row.status,
        enabled=settings.enabled,
        forced=settings.forced,
    )
