"""`trunkline prices`: what models cost, in US dollars; those of tokens for a million of them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated

import typer

from trunkline.v1.price_pb2 import Price, PriceRates, PriceTier
from trunkline_cli.records import Group, Kind, id_of, when
from trunkline_client import Client

_APART = ("request", "image", "search", "hour")
_OF_TOKENS = tuple(PriceRates.DESCRIPTOR.fields_by_name)
KIND: Kind[Price] = Kind(
    "prices",
    "price",
    columns={
        "PRICE": lambda each: id_of(each.name),
        "PROVIDER": lambda each: each.provider or "all",
        "MODEL": lambda each: each.model,
        "FROM": lambda each: when(each, "effective_time"),
        "INPUT": lambda each: each.rates.input or "-",
        "OUTPUT": lambda each: each.rates.output or "-",
        "OTHER": lambda each: ", ".join(_others(each)) or "-",
    },
    rows={
        "price": lambda each: each.name,
        "provider": lambda each: each.provider or "all",
        "model": lambda each: each.model,
        "from": lambda each: when(each, "effective_time"),
        "created": lambda each: when(each, "create_time"),
    },
    more=lambda each: _amounts(each),
)


def _usd(name: str, envvar: str, help: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, envvar=envvar, metavar="USD", help=help, show_default=False)
    return option


ModelOption = Annotated[
    str,
    typer.Option("--model", envvar="TRUNKLINE_MODEL", help="For which model, by the provider's name.", show_default=False),
]
ProviderOption = Annotated[
    str,
    typer.Option(
        "--provider",
        envvar="TRUNKLINE_PROVIDER",
        help="For which provider: the name or the type of its row. Without one: for all.",
        show_default=False,
    ),
]
OfModelOption = Annotated[
    str, typer.Option("--model", envvar="TRUNKLINE_MODEL", help="Only those for this model.", show_default=False)
]
OfProviderOption = Annotated[
    str, typer.Option("--provider", envvar="TRUNKLINE_PROVIDER", help="Only those for this provider.", show_default=False)
]
FromOption = Annotated[
    datetime | None,
    typer.Option(
        "--from", envvar="TRUNKLINE_PRICE_FROM", help="From when on it holds, in UTC. Without one: now.", show_default=False
    ),
]
InputOption = Annotated[
    str, _usd("--input", envvar="TRUNKLINE_PRICE_INPUT", help="What a million tokens of the prompt cost.")
]
CachedInputOption = Annotated[
    str,
    _usd(
        "--cached-input",
        envvar="TRUNKLINE_PRICE_CACHED_INPUT",
        help="What those cost that are read from the provider's cache.",
    ),
]
OutputOption = Annotated[
    str, _usd("--output", envvar="TRUNKLINE_PRICE_OUTPUT", help="What a million generated tokens cost.")
]
OtherOption = Annotated[
    list[str] | None,
    typer.Option(
        "--other",
        envvar="TRUNKLINE_PRICE_OTHER",
        metavar="KIND=USD",
        help="Another amount, as reasoning=12 or request=0.01; may be repeated.",
        show_default=False,
    ),
]
TierOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tier",
        envvar="TRUNKLINE_PRICE_TIER",
        metavar="TOKENS:KIND=USD,...",
        help="What tokens cost once the input has more, as 200000:input=5,output=22.50; may be repeated.",
        show_default=False,
    ),
]


def set_(
    client: Client,
    model: ModelOption,
    provider: ProviderOption = "",
    begin: FromOption = None,
    input: InputOption = "",
    cached_input: CachedInputOption = "",
    output: OutputOption = "",
    other: OtherOption = None,
    tier: TierOption = None,
) -> Price:
    """Set what a model costs from a time on. What completions cost before stays as it is."""
    given = Price(provider=provider, model=model, tiers=[_read_tier(each) for each in tier or ()])
    amounts = {"input": input, "cached_input": cached_input, "output": output}
    for kind, usd in (*((kind, usd) for kind, usd in amounts.items() if usd), *_read_amounts(other or (), "--other")):
        setattr(given if kind in _APART else given.rates, kind, usd)
    if begin is not None:
        given.effective_time.FromDatetime(begin)
    return client.admin.create_price(given)


def list_(client: Client, provider: OfProviderOption = "", model: OfModelOption = "") -> Iterable[Price]:
    """List the prices that were set."""
    return client.admin.list_prices(provider=provider, model=model)


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "What models cost, where others are to hold than public prices and those of the configuration.")
    group.one("set", set_)
    group.many("list", list_)
    group.change("show", lambda client, name: client.admin.get_price(name), "Show a price.")
    group.end(lambda client, name: client.admin.delete_price(name), "Delete a price: what else is known holds from now on.")
    return group.app


def _read_amounts(
    given: Iterable[str], option: str, kinds: Iterable[str] = (*_OF_TOKENS, *_APART)
) -> Iterator[tuple[str, str]]:
    for each in given:
        kind, equals, usd = each.partition("=")
        if not equals or kind not in kinds:
            raise typer.BadParameter(f"must be KIND=USD, the kind one of {', '.join(kinds)}", param_hint=option)
        yield kind, usd


def _read_tier(given: str) -> PriceTier:
    over, _, amounts = given.partition(":")
    if not (over.isascii() and over.isdigit() and len(over) < 19):
        raise typer.BadParameter("must be TOKENS:KIND=USD,...", param_hint="--tier")
    rates = dict(_read_amounts(amounts.split(","), "--tier", _OF_TOKENS))
    return PriceTier(over_input_tokens=int(over), rates=PriceRates(**rates))


def _rates(rates: PriceRates) -> dict[str, str]:
    return {kind: getattr(rates, kind) for kind in _OF_TOKENS if rates.HasField(kind)}


def _amounts(price: Price) -> Mapping[str, str]:
    """All amounts by their kinds."""
    apart = {kind: getattr(price, kind) for kind in _APART if price.HasField(kind)}
    tiers = {
        f"over {tier.over_input_tokens}": ", ".join(f"{kind} {usd}" for kind, usd in _rates(tier.rates).items())
        for tier in price.tiers
    }
    return {kind.replace("_", " "): usd for kind, usd in (_rates(price.rates) | apart).items()} | tiers


def _others(price: Price) -> list[str]:
    """The kinds of the amounts that are neither a prompt's nor an answer's."""
    return [kind for kind in _amounts(price) if kind not in ("input", "output")]
