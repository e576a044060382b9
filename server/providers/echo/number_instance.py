"""A JSON schema of a number -> the one nearest to 0 that keeps to it. Reckons in fractions, as JSON writes decimals."""

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from server.providers.echo.no_instance import NoInstanceError
from server.providers.echo.schema_check import multiple

Schema = Mapping[str, object]

_INTEGERS = 1 << 63
"""Integers are smaller than that, as JSON's writer takes them."""

_MULTIPLES = 100
"""How many multiples are looked at for one that floating-point numbers have, too."""


def number(schema: Schema, integer: bool, nth: int) -> int | float:
    """The number within the bounds that is nearest to 0, or above that one by some steps."""
    lower, above = _bound(schema, "minimum", "exclusiveMinimum", max)
    upper, below = _bound(schema, "maximum", "exclusiveMaximum", min)
    step = schema.get("multipleOf")
    if integer or (isinstance(step, int | float) and step > 0):
        return _multiple(lower, above, upper, below, step if isinstance(step, int | float) and step > 0 else 1, integer, nth)
    value = Fraction(nth)
    if lower is not None and (value < lower or (value == lower and above)):
        value = lower if not above else (lower + upper) / 2 if upper is not None else lower + _beside(lower)
    elif upper is not None and (value > upper or (value == upper and below)):
        value = upper if not below else (lower + upper) / 2 if lower is not None else upper - _beside(upper)
    return _written(value)


def common_multiple(one: float, two: float) -> int | float:
    """The least number that is a multiple of both."""
    first, second = Fraction(repr(one)), Fraction(repr(two))
    both = math.lcm(first.numerator * second.denominator, second.numerator * first.denominator)
    return _written(Fraction(both, first.denominator * second.denominator))


def _beside(bound: Fraction) -> Fraction:
    """A step that a floating-point number of that size can make."""
    return max(Fraction(1), abs(bound) / (1 << 40))


def _multiple(
    lower: Fraction | None,
    above: bool,
    upper: Fraction | None,
    below: bool,
    multiple_of: float,
    integer: bool,
    nth: int,
) -> int | float:
    step = Fraction(repr(multiple_of))
    if integer:
        step = Fraction(step.numerator)  # what is a multiple of it and whole
    least = None if lower is None else -(-lower // step) + (above and lower % step == 0)
    most = None if upper is None else upper // step - (below and upper % step == 0)
    if least is not None and most is not None and least > most:
        raise NoInstanceError
    up = not (most is not None and most < 0)
    first = max(least or 0, 0) if up else most
    assert first is not None
    found: int | float | None = None
    for count in range(nth, nth + _MULTIPLES):
        number = first + count if up else first - count
        if (up and most is not None and number > most) or (not up and least is not None and number < least):
            break
        value = _written(number * step)
        if (value / multiple_of).is_integer():  # also for those who do not reckon in decimals
            return value
        found = value if found is None else found
    if found is None or not multiple(found, multiple_of):
        raise NoInstanceError
    return found


def _written(value: Fraction) -> int | float:
    """The number as JSON's readers take it."""
    return int(value) if value.denominator == 1 and abs(value) < _INTEGERS else float(value)


def _bound(
    schema: Schema, inclusive: str, exclusive: str, tighter: Callable[[Iterable[Fraction]], Fraction]
) -> tuple[Fraction | None, bool]:
    """The tighter one of a bound's two forms, and whether it excludes itself."""
    values = {
        key: Fraction(repr(value))
        for key in (inclusive, exclusive)
        if isinstance(value := schema.get(key), int | float) and not isinstance(value, bool)
    }
    if not values:
        return None, False
    bound = tighter(values.values())
    return bound, values.get(exclusive) == bound
