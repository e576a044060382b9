"""What the configuration tests share: a few kinds of providers, and files written from text."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from server.config import ConfigError, Loaded, ProviderKind, load

KINDS = (
    ProviderKind("echo", None, (), False, ("echo",), needs_base_url=False),
    ProviderKind(
        "openai",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY", "PROXY_API_OPENAI_API_KEY"),
        True,
        ("gpt-4o", "gpt-4o-mini"),
    ),
    ProviderKind("anthropic", "https://api.anthropic.com", ("ANTHROPIC_API_KEY",), True, ("claude-opus-4-5",), legacy=True),
    ProviderKind("grok", "https://api.x.ai/v1", ("XAI_API_KEY",), True, ("grok-4",), aliases=("xai",)),
    ProviderKind("cohere", "https://api.cohere.com", ("COHERE_API_KEY",), True, ("command-a",)),
    ProviderKind("azure_openai", None, ("AZURE_OPENAI_API_KEY",), True, ()),
    ProviderKind("signing", None, ("SIGNING_KEY",), False, (), missing_without_key=lambda: "install a signer"),
)

LoadText = Callable[..., Loaded]
FailText = Callable[..., ConfigError]


@pytest.fixture
def kinds() -> tuple[ProviderKind, ...]:
    """The kinds that may be named; `signing` lacks what it needs without a key."""
    return KINDS


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    """Loads a configuration given as text."""

    def loaded(text: str, env: Mapping[str, str] | None = None) -> Loaded:
        file = tmp_path / "config.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        return load(file, env or {}, KINDS)

    return loaded


@pytest.fixture
def fail_text(load_text: LoadText) -> FailText:
    """Loads a configuration that cannot be used; gives its error."""

    def failed(text: str, env: Mapping[str, str] | None = None) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            load_text(text, env)
        return caught.value

    return failed
