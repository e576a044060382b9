"""What a model costs, as values: US dollars as decimals, and how its vendor tells what it charged."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum

import msgspec

ZERO = Decimal(0)
ATOMS = 10**18
"""Atoms of a micro-dollar. Sums are of whole atoms, which cost a tenth of what decimals do, and no price is finer."""

_DIGITS = 18
_EXACT = Context(prec=120)


class Told(StrEnum):
    """What a vendor tells of money in its usage, beside what it counted."""

    NOTHING = "nothing"
    COST = "cost"
    """`cost` is what was charged, in dollars; with a key of the upstream's (`is_byok`) its charge stands beside it, in
    `cost_details.upstream_inference_cost`. Sources: https://openrouter.ai/docs/use-cases/usage-accounting and
    https://openrouter.ai/docs/sdks/python/api-reference/components/chatusage (2026-11)."""
    TOTAL_COST = "total_cost"
    """`cost.total_cost` is what the request cost, in dollars. Source: the schema `Cost` of Perplexity's API, as kept at
    https://github.com/api-evangelist/perplexity (2026-11)."""
    TICKS = "ticks"
    """`cost_in_usd_ticks` is what was charged, 10,000,000,000 to the dollar. Source:
    https://docs.x.ai/developers/cost-tracking (2026-11)."""
    UNITS = "units"
    """`billed_units` are the counts that are paid for. Source: the schema `Usage` of Cohere's API, as kept at
    https://github.com/api-evangelist/cohere (2026-11)."""


class AtomRates(msgspec.Struct, frozen=True, gc=False):
    """`Rates` in atoms for one token, each kind at the price of what it is a part of where it has none of its own."""

    input: int | None
    cached_input: int | None
    cache_write: int | None
    cache_write_1h: int | None
    input_audio: int | None
    cached_audio: int | None
    input_image: int | None
    cached_image: int | None
    output: int | None
    reasoning: int | None
    output_audio: int | None
    output_image: int | None
    citation: int | None


class DearestRates(msgspec.Struct, frozen=True, gc=False):
    """What a token may cost at most, in atoms: input that is written to the cache, output that is reasoning or an image."""

    input: int | None
    output: int | None
    output_image: int | None


KINDS = AtomRates.__struct_fields__
"""The kinds of tokens that have a price."""
_PART_OF = {
    "cached_input": ("input",),
    "cache_write": ("input",),
    "cache_write_1h": ("cache_write", "input"),
    "input_audio": ("input",),
    "cached_audio": ("cached_input", "input_audio", "input"),
    "input_image": ("input",),
    "cached_image": ("cached_input", "input_image", "input"),
    "reasoning": ("output",),
    "output_audio": ("output",),
    "output_image": ("output",),
}
"""Whose price a kind has that has none of its own: the first of these that is known."""


def _dearer(usual: int | None, other: int | None) -> int | None:
    return usual if other is not None and usual is not None and usual > other else other


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a million tokens of each kind. None: as the kind that it is a part of; of a whole: not known.

    Attributes:
        input: tokens of the prompt, a whole.
        cached_input: read from the cache, a part of the input.
        cache_write: written to the cache, a part of the input.
        cache_write_1h: to be kept there for an hour, a part of what is written.
        input_audio: of sound, a part of the input; read from the cache, `cached_audio`, a part of the cached input.
        input_image: of images, likewise, and `cached_image`.
        output: generated tokens, a whole.
        reasoning: of reasoning, a part of the output; likewise `output_audio` and `output_image`.
        citation: of what was cited, which Perplexity counts apart; None: nothing.
        dearest: what a token may cost at most.
        atoms: what a token of each kind costs, in atoms.
    """

    input: Decimal | None = None
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    input_audio: Decimal | None = None
    cached_audio: Decimal | None = None
    input_image: Decimal | None = None
    cached_image: Decimal | None = None
    output: Decimal | None = None
    reasoning: Decimal | None = None
    output_audio: Decimal | None = None
    output_image: Decimal | None = None
    citation: Decimal | None = None
    atoms: AtomRates = field(init=False, repr=False, compare=False)
    dearest: DearestRates = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        atoms = AtomRates(*map(self._atoms, KINDS))
        object.__setattr__(self, "atoms", atoms)
        dearest = DearestRates(
            _dearer(atoms.input, atoms.cache_write),
            _dearer(atoms.output, atoms.reasoning),
            _dearer(atoms.output, atoms.output_image),
        )
        object.__setattr__(self, "dearest", dearest)

    def _atoms(self, kind: str) -> int | None:
        rates = (getattr(self, name) for name in (kind, *_PART_OF.get(kind, ())))
        rate = next((rate for rate in rates if rate is not None), None)
        return None if rate is None else to_atoms(rate)


@dataclass(frozen=True, slots=True)
class Tier:
    """What all tokens of a completion cost when its input is larger than so many tokens."""

    over: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs.

    Attributes:
        rates: what tokens cost.
        tiers: likewise for large inputs, smaller ones first.
        request: dollars for the request itself.
        image: dollars for one generated image; None: images cost what their tokens cost.
        search: dollars for one search that the vendor did.
        hour: dollars for an hour of the call's time, as electricity is paid for.
        told: what the vendor tells of money, which then counts.
    """

    rates: Rates = Rates()
    tiers: tuple[Tier, ...] = ()
    request: Decimal = ZERO
    image: Decimal | None = None
    search: Decimal = ZERO
    hour: Decimal = ZERO
    told: Told = Told.NOTHING

    def rates_of(self, input_tokens: int) -> Rates:
        """What the tokens of a completion cost whose input is that large."""
        rates = self.rates
        for tier in self.tiers:
            if input_tokens <= tier.over:
                break
            rates = tier.rates
        return rates


def to_atoms(micros: Decimal) -> int:
    """Micro-dollars as whole atoms; dollars for a million tokens are micro-dollars for one."""
    return int(micros.scaleb(_DIGITS, _EXACT).to_integral_value(ROUND_HALF_EVEN, _EXACT))


FREE = Price(Rates(input=ZERO, output=ZERO))
