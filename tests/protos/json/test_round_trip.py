"""Every JSON object goes through its message, and the message over the wire, and comes back as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trunkline_json as forms
from tests.protos.json import shapes
from tests.protos.json.shapes import ANY, OBJECTS, Shape, nested, same
from trunkline_json import Form, Misfit

M = TypeVar("M", bound=Message)
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@dataclass(frozen=True, slots=True)
class Case:
    """A form and the JSON that it is for.

    Attributes:
        name: the constant's, of the form and of the strategy.
        lists: keys that come back as an empty array where they were absent; OpenAI's answers always have them.
    """

    name: str
    lists: Sequence[str] = ()

    @property
    def form(self) -> Form[Message]:
        return cast("Form[Message]", getattr(forms, self.name))

    @property
    def shape(self) -> Shape:
        return cast(Shape, getattr(shapes, self.name))


CASES = [
    Case("CHAT_REQUEST"),
    Case("CHAT_CHUNK", lists=("choices",)),
    Case("CHAT_COMPLETION", lists=("choices",)),
    Case("USAGE"),
    Case("TEXT_REQUEST"),
    Case("TEXT_COMPLETION", lists=("choices",)),
    Case("EMBEDDING_REQUEST"),
    Case("EMBEDDING_LIST", lists=("data",)),
    Case("IMAGE_REQUEST"),
    Case("IMAGE_LIST", lists=("data",)),
    Case("VIDEO_REQUEST"),
    Case("VIDEO_LIST", lists=("data",)),
]
every_form = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.lower())


def there_and_back(form: Form[M], value: object, strict: bool) -> object:
    """The JSON that comes out where both ends and the wire between them did their work."""
    message = form.parse(value, strict)
    received = type(message).FromString(message.SerializeToString())
    return orjson.loads(orjson.dumps(form.render(received)))


def as_parsed(value: object) -> object:
    """What a JSON parser gives for it."""
    return orjson.loads(orjson.dumps(value))


def as_object(value: object) -> dict[str, object]:
    """What a JSON parser gives for an object."""
    return cast(dict[str, object], as_parsed(value))


def test_every_form_is_tried() -> None:
    assert {case.name for case in CASES} == {name for name in forms.__all__ if name.isupper()}


@every_form
@QUIET
@given(data=st.data())
def test_what_openai_means_comes_back_as_it_was(case: Case, data: st.DataObject) -> None:
    value = {**{key: [] for key in case.lists}, **as_object(data.draw(case.shape))}
    assert same(there_and_back(case.form, value, strict=True), value)


@every_form
@QUIET
@given(data=st.data())
def test_strictness_changes_nothing_that_fits(case: Case, data: st.DataObject) -> None:
    value = as_parsed(data.draw(case.shape))
    assert case.form.parse(value, strict=False) == case.form.parse(value, strict=True)


@every_form
@QUIET
@given(data=st.data())
def test_whatever_an_object_holds_it_comes_back(case: Case, data: st.DataObject) -> None:
    value = as_parsed(data.draw(OBJECTS | st.dictionaries(st.sampled_from(keys_of(case)), ANY, max_size=5)))
    came = cast(dict[str, object], there_and_back(case.form, value, strict=False))
    assert same(
        without_additions(case, came, value), {k: v for k, v in cast(dict[str, object], value).items() if k != "object"}
    )


def keys_of(case: Case) -> list[str]:
    """The keys that the form knows at its outermost level."""
    return sorted(case.form._root.by_key)


def without_additions(case: Case, came: dict[str, object], value: object) -> dict[str, object]:
    """What came without what a form adds: the constant `object`, and the nulls that clients insist on."""
    came.pop("object", None)
    for key in case.lists:
        if key not in cast(dict[str, object], value) and came.get(key) == []:
            del came[key]
    given_choices = cast(dict[str, object], value).get("choices")
    choices = came.get("choices")
    if not isinstance(choices, list) or not isinstance(given_choices, list):
        return came
    for choice, given_choice in zip(choices, given_choices, strict=True):
        _drop_added(choice, given_choice, ("finish_reason", "logprobs"))
        if isinstance(choice, dict) and isinstance(given_choice, dict):
            _drop_added(choice.get("message"), given_choice.get("message"), ("content", "refusal"))
    return came


def _drop_added(came: object, given_value: object, keys: Sequence[str]) -> None:
    if isinstance(came, dict) and isinstance(given_value, dict):
        for key in keys:
            if key not in given_value and came.get(key, 1) is None:
                del came[key]


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("value", [None, 1, "text", [], [{}], True], ids=repr)
@every_form
def test_what_is_no_object_is_refused(case: Case, value: object, strict: bool) -> None:
    with pytest.raises(Misfit) as refused:
        case.form.parse(value, strict)
    assert (refused.value.path, refused.value.expected) == ("", "an object")


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("key", ["tools", "messages", "vendor_key"])
def test_what_is_nested_too_deeply_is_refused_or_comes_back(key: str, strict: bool) -> None:
    value = {key: [{"type": "function", "function": {"parameters": nested(300, lambda inner: {"properties": inner})}}]}
    with pytest.raises(Misfit, match="nested less deeply"):
        forms.CHAT_REQUEST.parse(value, strict)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
def test_log_probabilities_of_log_probabilities_without_end_are_refused(strict: bool) -> None:
    token = nested(500, lambda inner: {"token": "a", "logprob": 0.5, "top_logprobs": [inner]}, {"token": "b"})
    with pytest.raises(Misfit, match="nested less deeply"):
        forms.CHAT_CHUNK.parse({"choices": [{"index": 0, "logprobs": {"content": [token]}}]}, strict)


def test_a_number_that_a_double_cannot_hold_comes_back_in_a_vector() -> None:
    value = {"object": "list", "data": [{"embedding": [0.5, 2**53 + 1]}]}
    assert there_and_back(forms.EMBEDDING_LIST, value, strict=True) == value


def test_nulls_are_told_from_absence() -> None:
    value = {"model": "m", "temperature": None, "messages": [{"role": "assistant", "content": None}], "stop": None}
    assert there_and_back(forms.CHAT_REQUEST, value, strict=True) == value


def test_a_key_with_the_name_of_a_field_that_has_another_key_is_nobodys() -> None:
    value = {"usage": {"input_tokens": 1}, "create_time": "x", "object": "chat.completion", "choices": []}
    message = forms.CHAT_COMPLETION.parse(value, strict=True)
    assert not message.usage.HasField("input_tokens")
    assert there_and_back(forms.CHAT_COMPLETION, value, strict=True) == value
