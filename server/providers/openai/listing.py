"""A vendor's list of models, and its answer to a question after its health, as OpenAI's dialect writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import orjson

from server.providers.base import ListedModel
from server.providers.errors import Fault, ProviderError
from server.providers.openai.errors import told

Json = dict[str, object]

LARGEST_LIST = 32 * 1024 * 1024
"""The most bytes that a list of models may have."""

_LARGEST_COUNT = 2**53
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a vendor's list of models is, and what it says of each. Fields are named by their path: `pricing.prompt`.

    Attributes:
        path: the list's path.
        context_window: fields with the most tokens of a prompt; the first that has a number counts.
        max_output_tokens: fields with the most tokens of an answer, likewise.
        input_price: the field with the price of an input token.
        output_price: the field with the price of an output token.
        price_factor: what makes of such a price US dollars for one million tokens.
        capabilities: fields that tell what a model can do: the field, the value that it is or has, the capability.
        hidden: fields that tell with False that a model is not served.
    """

    path: str = "models"
    context_window: tuple[str, ...] = ()
    max_output_tokens: tuple[str, ...] = ()
    input_price: str = ""
    output_price: str = ""
    price_factor: Decimal = Decimal(1)
    capabilities: tuple[tuple[str, object, str], ...] = ()
    hidden: tuple[str, ...] = ()


def listed_models(body: bytes, listing: Listing) -> Sequence[ListedModel]:
    """The models of a list, each name once; entries that make no sense are left out.

    Raises:
        ProviderError: PROTOCOL when it is no list; whatever it says, when it is an error object.
    """
    entries = _entries(body)
    models: dict[str, ListedModel] = {}
    for entry in entries:
        if isinstance(entry, dict) and not any(_at(entry, field) is False for field in listing.hidden):
            model = _model(entry, listing)
            if model is not None:
                models.setdefault(model.id, model)
    return tuple(models.values())


def check_health(body: bytes, unhealthy: Sequence[tuple[str, object]], spent: Sequence[str] = ()) -> None:
    """Reads what a vendor says of a key or an account.

    Args:
        unhealthy: fields, and the value with which they say that no request would be answered.
        spent: fields with what is left of a limit.

    Raises:
        ProviderError: AUTHENTICATION when one of them says so; whatever the body says, when it is an error object.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        if unhealthy:
            raise ProviderError(Fault.PROTOCOL, "The provider's word on its health is not JSON.") from None
        return
    if not isinstance(said, dict):
        return
    if said.get("error"):
        raise told(said)
    for field, value in unhealthy:
        if _at(said, field) is value:
            raise ProviderError(Fault.AUTHENTICATION, f"The provider says that its account is of no use: {field}.")
    for field in spent:
        left = _at(said, field)
        if isinstance(left, int | float) and not isinstance(left, bool) and left <= 0:
            raise ProviderError(Fault.AUTHENTICATION, f"The provider says that nothing is left of its limit: {field}.")


def _entries(body: bytes) -> list[object]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ProviderError(Fault.PROTOCOL, "The provider's list of models is not JSON.") from None
    if isinstance(said, dict):
        if said.get("error"):
            raise told(said)
        said = said.get("data", said.get("models"))
    if not isinstance(said, list):
        raise ProviderError(Fault.PROTOCOL, "The provider's list of models is not a list.")
    return said


def _model(entry: Json, listing: Listing) -> ListedModel | None:
    name = entry.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        return None
    owner = entry.get("owned_by")
    return ListedModel(
        id=name,
        created=_count(entry, ("created", "created_at")),
        owned_by=owner if isinstance(owner, str) else "",
        context_window=_count(entry, listing.context_window),
        max_output_tokens=_count(entry, listing.max_output_tokens),
        capabilities=frozenset(
            capability for field, value, capability in listing.capabilities if _is_or_has(_at(entry, field), value)
        ),
        input_price=_price(entry, listing.input_price, listing.price_factor),
        output_price=_price(entry, listing.output_price, listing.price_factor),
    )


def _count(entry: Json, fields: Sequence[str]) -> int | None:
    for field in fields:
        value = _at(entry, field)
        if type(value) is int and 0 < value < _LARGEST_COUNT:
            return value
    return None


def _price(entry: Json, field: str, factor: Decimal) -> Decimal | None:
    """A price in US dollars for one million tokens; None where there is none, or where it depends (-1)."""
    said = _at(entry, field) if field else None
    if not isinstance(said, str | int | float) or isinstance(said, bool) or len(str(said)) > 40:
        return None
    try:
        price = Decimal(str(said))
    except ArithmeticError:
        return None
    return price * factor if price.is_finite() and 0 <= price < _LARGEST_COUNT else None


def _is_or_has(said: object, value: object) -> bool:
    return value in said if isinstance(said, list) else said == value


def _at(entry: Json, path: str) -> object:
    """What is at a path of keys; None where nothing is."""
    value: object = entry
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
