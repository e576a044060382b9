"""Bedrock's lists of models and of inference profiles, which its control plane has.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html and, beside it,
API_ListInferenceProfiles.html (2026-11).
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from server.providers.base import ListedModel
from server.providers.errors import Fault, ProviderError
from server.providers.wire import UNREADABLE

_RUNTIME = re.compile(r"//bedrock-runtime((?:-fips)?\.[a-z0-9-]+\.)")
_OUTPUTS = {"TEXT": "chat", "EMBEDDING": "embeddings", "IMAGE": "images", "VIDEO": "videos"}


class _Summary(msgspec.Struct, rename="camel"):
    model_id: str
    model_arn: str = ""
    provider_name: str = ""
    input_modalities: list[str] = []
    output_modalities: list[str] = []
    inference_types_supported: list[str] | None = None


class _ProfileModel(msgspec.Struct, rename="camel"):
    model_arn: str = ""


class _Profile(msgspec.Struct, rename="camel"):
    inference_profile_id: str
    status: str = "ACTIVE"
    models: list[_ProfileModel] = []


class Page(msgspec.Struct, rename="camel"):
    """A page of either list."""

    model_summaries: list[_Summary] | None = None
    inference_profile_summaries: list[_Profile] | None = None
    next_token: str | None = None


_PAGE = msgspec.json.Decoder(Page)


def control_plane(base_url: str) -> str | None:
    """Where the lists are: beside AWS's runtime, or at any other address itself; None for private endpoints of AWS."""
    if (urlsplit(base_url).hostname or "").endswith(".vpce.amazonaws.com"):
        return None
    return _RUNTIME.sub(r"//bedrock\1", base_url)


def read_page(body: bytes) -> Page:
    """A page.

    Raises:
        ProviderError: PROTOCOL when it is none.
    """
    try:
        page = _PAGE.decode(body)
    except UNREADABLE:
        page = Page()
    if page.model_summaries is None and page.inference_profile_summaries is None:
        raise ProviderError(Fault.PROTOCOL, "The provider's answer is no list of models.")
    return page


def listed_models(foundation: Page, profiles: Sequence[Page]) -> tuple[ListedModel, ...]:
    """The models that can be asked by their own name, and the profiles; a profile can what its model can."""
    summaries = foundation.model_summaries or []
    by_id = {summary.model_id: summary for summary in summaries}
    found = [
        _listed(summary.model_id, summary)
        for summary in summaries
        if summary.inference_types_supported is None or "ON_DEMAND" in summary.inference_types_supported
    ]
    for page in profiles:
        for profile in page.inference_profile_summaries or []:
            models = (by_id.get(model.model_arn.rpartition("/")[2]) for model in profile.models)
            if profile.status == "ACTIVE":
                found.append(_listed(profile.inference_profile_id, next((model for model in models if model), None)))
    return tuple(found)


def _listed(id: str, summary: _Summary | None) -> ListedModel:
    if summary is None:
        return ListedModel(id)
    capabilities = {_OUTPUTS[kind] for kind in summary.output_modalities if kind in _OUTPUTS}
    if "chat" in capabilities and "IMAGE" in summary.input_modalities:
        capabilities.add("vision")
    return ListedModel(id, owned_by=summary.provider_name, capabilities=frozenset(capabilities))
