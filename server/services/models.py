"""ModelsService: which models there are, who serves them, and what is selected of them."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import NoReturn

from server.call import Call
from server.caller import Caller
from server.catalogue.catalogue import Entry
from server.catalogue.names import provider_name
from server.catalogue.selection_file import SelectionFile
from server.catalogue.selections import Selection
from server.clock import Clock
from server.dispatch.router import Target
from server.errors import GatewayError, invalid_request
from server.ledger.prices import Prices
from server.runtime import ProviderRow, Runtime
from server.services.model_messages import model_list, model_message, selection_message
from server.services.model_selection import refuse_locked, selected
from server.services.pages import Key, page
from server.services.requests import check_model
from server.services.route_messages import explained
from server.tenancy.allowances import may_use
from server.tenancy.audit import Audit
from server.tenancy.who import Who
from trunkline.v1.error_reason_pb2 import ErrorReason
from trunkline.v1.models_service_pb2 import (
    DeleteModelSelectionRequest,
    DeleteModelSelectionResponse,
    ExplainRouteRequest,
    ExplainRouteResponse,
    GetModelRequest,
    GetModelResponse,
    GetModelSelectionRequest,
    GetModelSelectionResponse,
    GetProviderModelRequest,
    GetProviderModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    ListProviderModelsRequest,
    ListProviderModelsResponse,
    Model,
    RefreshProviderModelsRequest,
    RefreshProviderModelsResponse,
    UpdateModelSelectionRequest,
    UpdateModelSelectionResponse,
)

_MODELS, _PROVIDERS, _SELECTION = "models/", "providers/", "/model_selection"
_PAGE = 1000
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ModelsService:
    """Implements the contract's ModelsService.

    Args:
        runtime: gives the configuration in force.
        selections: keeps what is selected.
        clock: tells when.
        prices: tells what was set.
        audit: has changes of selections written down.
    """

    def __init__(
        self, runtime: Callable[[], Runtime], selections: SelectionFile, clock: Clock, prices: Prices, audit: Audit
    ) -> None:
        self._runtime = runtime
        self._selections = selections
        self._clock = clock
        self._prices = prices
        self._audit = audit

    async def ListModels(self, request: ListModelsRequest, call: Call) -> ListModelsResponse:
        """Lists the models that can be asked for by name: what rows name and their providers list, and aliases."""
        runtime = self._runtime()
        places = {name: place for place, name in enumerate(runtime.rows)}

        def place(model: Model) -> Key:
            return model.id, places[model.provider], model.alias_of

        page([], request, _PAGE, place)  # before anybody is asked
        entries = await runtime.catalogue.models()
        shown = _allowed(runtime, entries, call.caller)
        models = [self._message(entry, runtime.rows[entry.provider]) for entry in shown]
        left_out = {entry.name for entry in entries} - {entry.name for entry in shown}
        for name in runtime.router.aliases.keys() | left_out:  # a fallback may be allowed where the model's own are not
            targets = _targets(runtime, name, call.caller)
            if targets:
                models.append(self._model(runtime, targets[0], name))
        models_of_page, token = page(models, request, _PAGE, place)
        return ListModelsResponse(models=models_of_page, next_page_token=token)

    async def GetModel(self, request: GetModelRequest, call: Call) -> GetModelResponse:
        """Gets one model, as its first target serves it."""
        if not request.name.startswith(_MODELS) or request.name == _MODELS:
            raise invalid_request("`name` must be `models/{model}`.", "name")
        model = request.name.removeprefix(_MODELS)
        check_model(model, "name")
        runtime = self._runtime()
        targets = _targets(runtime, model, call.caller)
        if not targets:
            _no_model(model)
        return GetModelResponse(model=self._model(runtime, targets[0], model))

    async def ListProviderModels(self, request: ListProviderModelsRequest, call: Call) -> ListProviderModelsResponse:
        """Lists all models of one provider."""
        runtime = self._runtime()
        row = _row(runtime, request.parent, "parent", "")
        page([], request, _PAGE, _model_of)
        entries, listing = await runtime.catalogue.provider_models(row.settings.name)
        entries = _allowed(runtime, entries, call.caller)
        of_page, token = page(entries, request, _PAGE, _model_of)
        return ListProviderModelsResponse(
            models=[self._message(entry, row) for entry in of_page],
            next_page_token=token,
            list=model_list(row.settings.name, len(entries), listing),
        )

    async def GetProviderModel(self, request: GetProviderModelRequest, call: Call) -> GetProviderModelResponse:
        """Gets one model of one provider."""
        runtime = self._runtime()
        provider, between, model = request.name.removeprefix(_PROVIDERS).partition("/models/")
        if not between:
            raise invalid_request("`name` must be `providers/{provider}/models/{model}`.", "name")
        row = _row(runtime, f"{_PROVIDERS}{provider}", "name", "")
        check_model(model, "name")
        entry = await runtime.catalogue.find(row.settings.name, model)
        if entry is None or not _allowed(runtime, [entry], call.caller):
            _no_model(model)
        return GetProviderModelResponse(model=self._message(entry, row))

    async def RefreshProviderModels(
        self, request: RefreshProviderModelsRequest, call: Call
    ) -> RefreshProviderModelsResponse:
        """Asks a provider for its models anew."""
        runtime = self._runtime()
        row = _row(runtime, request.name, "name", "")
        entries, listing = await runtime.catalogue.refresh(row.settings.name)
        return RefreshProviderModelsResponse(
            models=[self._message(entry, row) for entry in entries[:_PAGE]],
            list=model_list(row.settings.name, len(entries), listing),
        )

    async def GetModelSelection(self, request: GetModelSelectionRequest, call: Call) -> GetModelSelectionResponse:
        """Gets a provider's selection."""
        provider = _row(self._runtime(), request.name, "name", _SELECTION).settings.name
        selection = self._selections.current().of(provider)
        if selection is None:
            _not_found(f"The provider `{provider}` has no selection.", request.name)
        return GetModelSelectionResponse(model_selection=selection_message(provider, selection))

    async def UpdateModelSelection(self, request: UpdateModelSelectionRequest, call: Call) -> UpdateModelSelectionResponse:
        """Selects a model of a provider."""
        given = request.model_selection
        settings = _row(self._runtime(), given.name, "name", _SELECTION).settings
        now = self._clock.now()

        def change(before: Selection | None) -> Selection:
            made = selected(before, given, request.update_mask.paths)
            return replace(made, model=provider_name(settings, made.model), update_time=now)

        selection = await asyncio.shield(self._select(call, settings.name, change))
        assert selection is not None
        return UpdateModelSelectionResponse(model_selection=selection_message(settings.name, selection))

    async def DeleteModelSelection(self, request: DeleteModelSelectionRequest, call: Call) -> DeleteModelSelectionResponse:
        """Takes a provider's selection back."""
        provider = _row(self._runtime(), request.name, "name", _SELECTION).settings.name

        def change(before: Selection | None) -> None:
            refuse_locked(before)

        await asyncio.shield(self._select(call, provider, change))
        return DeleteModelSelectionResponse()

    async def ExplainRoute(self, request: ExplainRouteRequest, call: Call) -> ExplainRouteResponse:
        """Tells where a request would go."""
        check_model(request.model)
        return explained(self._runtime(), request.model, request.operation, call.caller)

    async def _select(
        self, call: Call, provider: str, change: Callable[[Selection | None], Selection | None]
    ) -> Selection | None:
        """Changes a provider's selection, and has it written down who did: both, also where the caller has left."""
        was: Selection | None = None

        def noting(before: Selection | None) -> Selection | None:
            nonlocal was
            was = before
            return change(before)

        async with self._audit.changing(Who.of(call)) as changing:
            selection = await self._selections.change(provider, noting)
            if selection != was:
                before, after = (None if each is None else asdict(each) for each in (was, selection))
                name = f"{_PROVIDERS}{provider}{_SELECTION}"
                changing.made(name, before, after, lambda: self._selections.change(provider, lambda _: was))
        return selection

    def _model(self, runtime: Runtime, target: Target, name: str) -> Model:
        """A model of that name, as a target serves it."""
        row = runtime.rows[target.settings.name]
        entry: Entry = runtime.catalogue.describe(target.settings.name, target.model, name)
        return self._message(entry, row, runtime.router.aliases.get(name, ""))

    def _message(self, entry: Entry, row: ProviderRow, alias_of: str = "") -> Model:
        """A model of a provider, at the price that holds now."""
        price = self._prices.price_set(row.settings, entry.model, round(self._clock.now() * 1e6))
        return model_message(entry, row, price, alias_of)


def _model_of(entry: Entry) -> Key:
    return (entry.model,)


def _targets(runtime: Runtime, model: str, caller: Caller) -> Sequence[Target]:
    """Who would be asked for a model for a caller, the first choice first; nobody where it may not ask for it."""
    try:
        return runtime.router.targets(model, caller)
    except GatewayError:
        return ()


def _allowed(runtime: Runtime, entries: Sequence[Entry], caller: Caller) -> Sequence[Entry]:
    """Of models of providers, those that a caller may ask for, so that this provider is asked; by the name to ask for."""
    if not caller.models and not caller.providers:
        return entries
    return [shown for entry in entries if (shown := _shown(runtime, entry, caller)) is not None]


def _shown(runtime: Runtime, entry: Entry, caller: Caller) -> Entry | None:
    """A model as a caller may ask for it: by its name, or only as `PROVIDER/MODEL`; None: not at all."""

    def leads_there(name: str) -> bool:
        return any(target.settings.name == entry.provider for target in _targets(runtime, name, caller))

    if leads_there(entry.name):
        return entry
    address = f"{entry.provider}/{entry.model}"
    # Keys that name models are shown what they name. Whoever may ask for all is not shown each of them twice.
    if caller.models and may_use(caller, address) and leads_there(address):
        return replace(entry, name=address)
    return None


def _row(runtime: Runtime, name: str, param: str, suffix: str) -> ProviderRow:
    """The provider that a name of the form `providers/{provider}` with a suffix names."""
    provider = name.removeprefix(_PROVIDERS).removesuffix(suffix)
    if name != f"{_PROVIDERS}{provider}{suffix}" or not provider or "/" in provider:
        raise invalid_request(f"`{param}` must be `providers/{{provider}}{suffix}`.", param)
    row = runtime.rows.get(provider)
    if row is None:
        plain = provider if _PLAIN.fullmatch(provider) else "?"
        _not_found(f"There is no provider `{plain}`.", f"{_PROVIDERS}{plain}")
    return row


def _not_found(message: str, name: str) -> NoReturn:
    raise GatewayError(ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND, message, metadata={"name": name})


def _no_model(model: str) -> NoReturn:
    raise GatewayError(
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        f"No provider serves the model `{model}`.",
        metadata={"model": model, "param": "model"},
    )
