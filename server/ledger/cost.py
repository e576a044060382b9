"""What a completion cost, exact to the micro-dollar: whole atoms of it are summed, and rounded once, half to even.

A token that costs so many dollars for a million costs as many micro-dollars. Parts of a whole are taken out of it before
they are priced, so that nothing is paid twice; parts told larger than their whole are cut to it.
"""

from decimal import Context, Decimal

from server.ledger.price import ATOMS, AtomRates, Price, to_atoms
from server.ledger.told import ToldUsage, charged, read_told, told_units
from trunkline.v1.chat_pb2 import Usage

MOST_MICROS = 10**15
"""A billion dollars: more than any completion costs, whatever a vendor counts."""
_EXACT = Context(prec=120)
_MICROS = Decimal(1_000_000)
_HOUR_S = Decimal(3600)


_Parts = list[tuple[int, int | None]]
"""Tokens, and what one of them costs in atoms; None: not known."""


def cost_micros(usage: Usage, price: Price | None, seconds: Decimal | int = 0, image_count: int = 0) -> int | None:
    """What a completion cost, in millionths of a US dollar; None: not known.

    Args:
        usage: what was used, as the contract counts.
        price: the model's; None: not known.
        seconds: from the attempt's begin to its end, for providers that cost by the hour.
        image_count: how many images were generated.
    """
    if price is None:
        return None
    told = read_told(usage.extra_json)
    micros = charged(price.told, told)
    atoms = _by_price(usage, price, told, image_count) if micros is None else to_atoms(micros)
    if atoms is None:
        return None
    if price.hour and seconds > 0:
        atoms += to_atoms(_EXACT.divide(_EXACT.multiply(price.hour * _MICROS, seconds), _HOUR_S))
    return min(_rounded(atoms), MOST_MICROS)


def _rounded(atoms: int) -> int:
    """Whole micro-dollars, the nearest; the even one of two."""
    micros, rest = divmod(atoms, ATOMS)
    return micros + (2 * rest > ATOMS or (2 * rest == ATOMS and micros % 2))


def _by_price(usage: Usage, price: Price, told: ToldUsage, image_count: int) -> int | None:
    input_tokens, output_tokens = max(usage.input_tokens, 0), max(usage.output_tokens, 0)
    if not usage.HasField("output_tokens"):
        output_tokens = max(usage.total_tokens - input_tokens, 0)
    units = told_units(price.told, told)
    if units is not None:
        input_tokens, output_tokens = units.input_tokens, units.output_tokens
    elif not _tells_input(usage, image_count) and not _needs_no_tokens(price, image_count):
        return None  # it does not say what it used, or not of which kind
    rates = price.rates_of(input_tokens).atoms
    if not image_count:
        parts = _of_input(usage, rates, told, input_tokens) + _of_output(usage, rates, output_tokens)
    else:
        images = min(told.input_images(), input_tokens)
        parts = [(images, rates.input_image), (input_tokens - images, rates.input)]
        if price.image is None:
            parts.append((output_tokens, rates.output_image))
    if rates.citation is not None:
        parts += [(told.citation_tokens(), rates.citation), (told.reasoning_apart(), rates.reasoning)]
    atoms = 0
    for tokens, rate in parts:
        if tokens > 0:
            if rate is None:
                return None
            atoms += rate * tokens
    if image_count > 0 and price.image is not None:
        atoms += to_atoms(price.image * _MICROS) * image_count
    if price.search:
        atoms += to_atoms(price.search * _MICROS) * told.searches()
    if price.request:
        atoms += to_atoms(price.request * _MICROS)
    return atoms


def _tells_input(usage: Usage, image_count: int) -> bool:
    """Whether it says how large the input was; an image has a prompt, so none at all is not said."""
    return usage.input_tokens > 0 if image_count > 0 else usage.HasField("input_tokens")


def _needs_no_tokens(price: Price, image_count: int) -> bool:
    if image_count > 0 and price.image is not None:
        return True
    return price.rates.input == 0 and price.rates.output == 0


def _of_input(usage: Usage, rates: AtomRates, told: ToldUsage, tokens: int) -> _Parts:
    if not usage.HasField("input_tokens_details"):
        return [(tokens, rates.input)]
    details = usage.input_tokens_details
    cached = _part(details.cached_tokens, tokens)
    if not (details.cache_write_tokens or details.audio_tokens or details.image_tokens):
        return [(cached, rates.cached_input), (tokens - cached, rates.input)]
    written = _part(details.cache_write_tokens, tokens - cached)
    for_hour = min(told.hour_writes(), written) if written else 0
    # What was cached of sound and images is not told: text counts as cached first, it stands at the beginning.
    audio = _part(details.audio_tokens, tokens - written)
    images = _part(details.image_tokens, tokens - written - audio)
    text = tokens - written - audio - images
    cached_text = min(cached, text)
    cached_images = min(cached - cached_text, images)
    cached_audio = cached - cached_text - cached_images
    return [
        (for_hour, rates.cache_write_1h),
        (written - for_hour, rates.cache_write),
        (cached_text, rates.cached_input),
        (text - cached_text, rates.input),
        (cached_images, rates.cached_image),
        (images - cached_images, rates.input_image),
        (cached_audio, rates.cached_audio),
        (audio - cached_audio, rates.input_audio),
    ]


def _of_output(usage: Usage, rates: AtomRates, tokens: int) -> _Parts:
    parts: _Parts = []
    if usage.HasField("output_tokens_details"):
        details = usage.output_tokens_details
        if rates.reasoning != rates.output:
            reasoning = _part(details.reasoning_tokens, tokens)
            parts.append((reasoning, rates.reasoning))
            tokens -= reasoning
        if rates.output_audio != rates.output:
            audio = _part(details.audio_tokens, tokens)
            parts.append((audio, rates.output_audio))
            tokens -= audio
        if rates.output_image != rates.output:
            images = _part(read_told(details.extra_json).output_images(), tokens)
            parts.append((images, rates.output_image))
            tokens -= images
    parts.append((tokens, rates.output))
    return parts


def _part(tokens: int, whole: int) -> int:
    return 0 if tokens <= 0 else tokens if tokens < whole else whole
