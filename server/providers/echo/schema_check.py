"""Whether a value keeps to a JSON schema: the last word on what was made for it.

Patterns and formats are not looked at, as strangers' expressions can take for ever; who makes texts sees to them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import orjson


@dataclass(frozen=True, slots=True)
class Rules:
    """What checking needs.

    Attributes:
        resolve: what a reference leads to.
        spend: counts the work that is done; raises where it is too much.
    """

    resolve: Callable[[str], object]
    spend: Callable[[int], None]


_STEPS = 10
_CHARACTERS = 64
"""How many are compared in a step."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def keeps(value: object, schema: object, rules: Rules) -> bool:
    """Whether it does."""
    rules.spend(_STEPS)
    if not isinstance(schema, Mapping):
        return schema is not False
    reference = schema.get("$ref")
    if isinstance(reference, str) and not keeps(value, rules.resolve(reference), rules):
        return False
    kind = schema.get("type")
    if kind is not None and not any(_is(value, each) for each in (kind if isinstance(kind, list) else [kind])):
        return False
    choices = schema.get("enum")
    if isinstance(choices, list):
        rules.spend(len(choices))
        if not any(same(value, each, rules) for each in choices):
            return False
    if "const" in schema and not same(value, schema["const"], rules):
        return False
    return _combined(value, schema, rules) and _sized(value, schema) and _inside(value, schema, rules)


def same(one: object, two: object, rules: Rules) -> bool:
    """Whether two values are the same as JSON sees it: 1 is 1.0, and not true."""
    rules.spend(1)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(same(each, two[n], rules) for n, each in enumerate(one))
    if isinstance(one, dict) and isinstance(two, dict):
        rules.spend(len(one))
        return one.keys() == two.keys() and all(same(each, two[name], rules) for name, each in one.items())
    if isinstance(one, str) and isinstance(two, str) and len(one) == len(two):
        rules.spend(len(one) // _CHARACTERS)
    return isinstance(one, bool) == isinstance(two, bool) and one == two


def multiple(value: float, step: float) -> bool:
    """Whether a number is a multiple, as decimals, which is how JSON writes them."""
    return (Fraction(repr(value)) / Fraction(repr(step))).denominator == 1


def _combined(value: object, schema: Mapping[str, object], rules: Rules) -> bool:
    def kept(keyword: str) -> int | None:
        branches = schema.get(keyword)
        return sum(keeps(value, each, rules) for each in branches) if isinstance(branches, list) else None

    of_all = schema.get("allOf")
    if isinstance(of_all, list) and not all(keeps(value, each, rules) for each in of_all):
        return False
    if kept("anyOf") == 0 or kept("oneOf") not in (None, 1):
        return False
    if "not" in schema and keeps(value, schema["not"], rules):
        return False
    if "if" in schema:
        then = "then" if keeps(value, schema["if"], rules) else "else"
        return keeps(value, schema.get(then, True), rules)
    return True


def _sized(value: object, schema: Mapping[str, object]) -> bool:
    def bound(key: str) -> float | None:
        found = schema.get(key)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None

    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high, above, below, step = map(
            bound, ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
        )
        within = (low is None or value >= low) and (high is None or value <= high)
        inside = (above is None or value > above) and (below is None or value < below)
        return within and inside and (not step or multiple(value, step))
    for kind, what in ((str, "Length"), (list, "Items"), (dict, "Properties")):
        if isinstance(value, kind):
            least, most = bound(f"min{what}"), bound(f"max{what}")
            return (least is None or len(value) >= least) and (most is None or len(value) <= most)
    return True


def _inside(value: object, schema: Mapping[str, object], rules: Rules) -> bool:
    if isinstance(value, list):
        return _items_keep(value, schema, rules)
    if not isinstance(value, dict):
        return True
    known, names, needed = (schema.get(key) for key in ("properties", "required", "dependentRequired"))
    if isinstance(names, list):
        rules.spend(len(names))
        if not all(name in value for name in names):
            return False
    if isinstance(needed, Mapping) and not all(set(needed[name]) <= value.keys() for name in needed if name in value):
        return False
    if value and schema.get("patternProperties"):
        return False  # nobody can tell
    known = known if isinstance(known, Mapping) else {}
    others, of_names = schema.get("additionalProperties", True), schema.get("propertyNames", True)
    return all(keeps(each, known.get(name, others), rules) and keeps(name, of_names, rules) for name, each in value.items())


def _items_keep(value: list[object], schema: Mapping[str, object], rules: Rules) -> bool:
    first = schema.get("prefixItems")
    places, rest = first if isinstance(first, list) else [], schema.get("items", True)
    if not all(keeps(each, places[n] if n < len(places) else rest, rules) for n, each in enumerate(value)):
        return False
    if schema.get("uniqueItems") is True:
        plain = {_plain(each) for each in value}
        rules.spend(sum(map(len, plain)))
        if len(plain) < len(value):
            return False
    return "contains" not in schema or any(keeps(each, schema["contains"], rules) for each in value)


def _is(value: object, kind: object) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    if kind == "integer" and isinstance(value, float) and not value.is_integer():
        return False
    return isinstance(kind, str) and isinstance(value, _TYPES.get(kind, ()))


def _plain(value: object) -> bytes:
    return orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS)


def _whole(value: object) -> object:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return {name: _whole(each) for name, each in value.items()} if isinstance(value, dict) else value
