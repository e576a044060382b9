"""What each model takes of a request, told from its name, and the models that the vendor lists.

A Gemini that is not known is taken for one of the newest; other models behind this dialect are not told to think. Source:
https://ai.google.dev/gemini-api/docs/thinking and https://ai.google.dev/gemini-api/docs/openai, where reasoning effort is
translated (2026-11); penalties: https://github.com/google-gemini/cookbook/issues/1290; log probabilities:
https://github.com/mscraftsman/generative-ai/issues/135 (2026-11).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from server.providers.base import ListedModel
from server.providers.gemini.errors import error_in
from server.providers.wire import decoded

Json = dict[str, object]

_NAME = re.compile(r"gemini-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?!\d)")
_UNKNOWN = (99, 0)

_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_NO_MINIMAL = {"minimal": "LOW"}
_ENDS_ONLY = {"minimal": "LOW", "medium": "HIGH"}


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """One model's ways.

    Attributes:
        thinking: by reasoning effort: the `thinkingConfig`; empty where the model cannot be told how much to think.
        signed_calls: whether it refuses a call of a tool that comes back without its signature.
        json_with_tools: whether it takes tools and a form of the answer together.
        old_sampling: whether it takes penalties and tells log probabilities, which newer ones refuse.
    """

    thinking: Mapping[str, Json]
    signed_calls: bool
    json_with_tools: bool
    old_sampling: bool


def model_traits(model: str) -> ModelTraits:
    """The ways of the model of that name."""
    if "gemini" not in model:
        return ModelTraits(thinking={}, signed_calls=False, json_with_tools=True, old_sampling=True)
    found = _NAME.search(model)
    version = _UNKNOWN if found is None else (int(found["major"]), int(found["minor"] or 0))
    newest = version >= (3, 0)
    return ModelTraits(
        thinking=_thinking(model, version),
        signed_calls=newest,
        json_with_tools=newest,
        old_sampling=version < (2, 5),
    )


def _thinking(model: str, version: tuple[int, int]) -> dict[str, Json]:
    if version < (2, 5) or "image" in model or "tts" in model:
        return {}
    shown: Json = {"includeThoughts": True}
    pro = "pro" in model
    if version < (3, 0):
        budgets: dict[str, Json] = {effort: {"thinkingBudget": budget, **shown} for effort, budget in _BUDGETS.items()}
        return {"none": {"thinkingBudget": 128 if pro else 0}, **budgets}  # a Pro always thinks
    others = {} if not pro else _ENDS_ONLY if version == (3, 0) else _NO_MINIMAL
    levels = {**_LEVELS, **others}
    return {
        "none": {"thinkingLevel": levels["minimal"]},  # nothing turns it off
        **{effort: {"thinkingLevel": level, **shown} for effort, level in levels.items()},
    }


class _Model(msgspec.Struct, rename="camel"):
    name: str
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    supported_generation_methods: list[str] = []
    thinking: bool = False


class _Page(msgspec.Struct, rename="camel"):
    models: list[_Model] = []
    next_page_token: str = ""


_PAGE = msgspec.json.Decoder(_Page)
_CAPABILITIES = {
    "generateContent": "chat",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "predict": "images",
    "predictLongRunning": "videos",
}


def listed_models(body: bytes) -> tuple[list[ListedModel], str]:
    """The models of one page of the list, and the token of the next page; empty where there is none.

    Raises:
        ProviderError: PROTOCOL when the body is no such page; what it says, when it is an error.
    """
    if error := error_in(body):  # an empty page has no key of its own, so that an error would look like one
        raise error
    page = decoded(_PAGE, body, error_in, "The provider's answer is not a list of models.")
    return [_listed(model) for model in page.models], page.next_page_token


def _listed(model: _Model) -> ListedModel:
    name = model.name.removeprefix("models/")
    capabilities = {_CAPABILITIES[method] for method in model.supported_generation_methods if method in _CAPABILITIES}
    if "chat" in capabilities and name.startswith("gemini-"):
        if "tts" not in name:
            capabilities.add("vision")
        if "image" in name:
            capabilities.add("images")
        elif "tts" not in name:
            capabilities |= {"tools", "json_schema"}
    if model.thinking:
        capabilities.add("reasoning")
    return ListedModel(
        id=name,
        owned_by="google",
        context_window=model.input_token_limit,
        max_output_tokens=model.output_token_limit,
        capabilities=frozenset(capabilities),
    )
