"""What a model may be called in a list of prices: as it was sent, behind its vendor's prefix, without its date.

A name is never cut further than that: `-2512` at Mistral's and a deployment's own name tell of another price.
"""

import re
from collections.abc import Sequence

from server.config.provider_settings import ProviderSettings

_DATE = re.compile(r"[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6})$")
_PREFIXES = {
    "anthropic": ("anthropic",),
    "azure_openai": ("azure", "openai"),
    "bedrock": ("bedrock", "aws"),
    "cohere": ("cohere",),
    "deepseek": ("deepseek",),
    "gemini": ("models", "google", "gemini"),
    "grok": ("x-ai", "xai"),
    "groq": ("groq",),
    "mistral": ("mistralai", "mistral"),
    "openai": ("openai",),
    "openrouter": ("openrouter",),
    "perplexity": ("perplexity",),
}


def model_names(settings: ProviderSettings, model: str) -> Sequence[str]:
    """The names to look a provider's model up by, the likeliest first.

    Args:
        settings: the provider's.
        model: what it was sent as the model.
    """
    model = _deployed(settings, model)
    names = [model]
    prefix, slash, rest = model.partition("/")
    if slash and prefix in _PREFIXES.get(settings.type, ()):
        names.append(rest)
    dateless = [_DATE.sub("", name) for name in names]
    return tuple(dict.fromkeys([*names, *dateless]))


def _deployed(settings: ProviderSettings, model: str) -> str:
    """The model behind a deployment, where the row tells it."""
    for name, deployment in settings.deployments.items():
        if deployment == model:
            return name
    if model == settings.deployment_id and len(settings.models) == 1 and "*" not in settings.models[0]:
        return settings.models[0]
    return model
