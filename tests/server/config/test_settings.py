"""Settings cannot be changed, and can be copied, pickled and dumped."""

import copy
import pickle
import warnings
from collections.abc import MutableMapping, MutableSequence, MutableSet

import pytest
from pydantic import BaseModel, ValidationError

from server.config import ProviderKind, Settings, load

TEXT = """\
routing: {aliases: {fast: gpt-4o}, fallbacks: {gpt-4o: [gpt-4o-mini]}}
api_keys: [a]
rate_limit: {endpoints: {/v1/models: 60}}
providers: [{name: a, type: openai, api_key: k, custom_headers: {X-A: b}, deployments: {m: d}}]
"""


def values(model):
    for name in type(model).model_fields:
        value = getattr(model, name)
        yield value
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, BaseModel):
                yield from values(each)


def test_settings_hold_nothing_that_can_be_changed(load_text):
    settings = load_text(TEXT).settings
    assert not [each for each in values(settings) if isinstance(each, MutableMapping | MutableSequence | MutableSet)]
    with pytest.raises(ValidationError):
        settings.server.port = 1
    with pytest.raises(TypeError):
        settings.routing.aliases["fast"] = "other"


def test_settings_survive_copying_pickling_and_dumping(load_text):
    settings = load_text(TEXT).settings
    assert copy.deepcopy(settings) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert settings.model_dump()["routing"]["aliases"] == {"fast": "gpt-4o"}


def test_the_defaults_are_those_of_the_documentation():
    server = Settings().server
    assert (server.host, server.port, server.grpc_port, server.metrics_port) == ("127.0.0.1", 8000, 50_051, None)
    assert (server.max_body_mb, server.sse_keepalive_s, server.drain_s, server.workers) == (50, 15, 30, 1)
    assert Settings().auth.api_key_header == "X-API-Key"
    assert Settings().routing.strategy == "priority"


def test_what_is_loaded_knows_its_file(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("port: 1\n")
    loaded = load(file, {}, [ProviderKind("echo", None, (), False, ("echo",), True, needs_base_url=False)])
    assert (loaded.path, loaded.file_size_bytes, loaded.load_time_s >= 0) == (file, 8, True)
