"""What is configured and not built yet is said once; what needs nothing built is not."""

import pytest

from server.config.unbuilt import UNBUILT

ASKED = {
    "condensation": "condensation: {cache_ttl: 5}",
    "caching": "caching: {enabled: true}",
    "memory": "memory: {max_usage_percent: 50}",
    "health_check": "health_check: {memory: true}",
    "telemetry": "telemetry: {enabled: true}",
    "templates": "templates: {directory: t}",
    "metrics_api": "metrics_api: {port: 8002}",
    "sanitize": "security: {sanitize: flag}",
    "public_analytics": "auth: {public_analytics: true}",
    "reload": "server: {reload: true}",
    "log_rotation": "logging: {rotation: {max_files: 2}}",
}
QUIET = """\
server: {reload: false}
security: {sanitize: off}
routing: {strategy: priority, on_broken_stream: error, hedging: {enabled: false}}
telemetry: {enabled: false}
chaos_engineering: {faults: [{type: delay}]}
circuit_breaker: {enabled: false}
templates:
rate_limit: {burst_limit: 5}
redis: {url: 'redis://127.0.0.1'}
logging: {store_bodies: no}
providers: [{name: a, type: echo, http2: false, dialect: current, max_retries: 0, rate_limit: 5}]
"""


def codes(loaded):
    return [notice.code for notice in loaded.notices if notice.code != "no_providers"]


@pytest.mark.parametrize("code", [feature.code for feature in UNBUILT])
def test_each_unbuilt_feature_is_said_once(code, load_text):
    assert codes(load_text(ASKED[code])) == [code]


def test_what_needs_nothing_built_is_not_said(load_text):
    assert codes(load_text(QUIET)) == []


def test_a_notice_says_where(load_text):
    notice = next(n for n in load_text("debug: true\ntemplates: {}\n").notices if n.code == "templates")
    assert (notice.path, notice.line, notice.severity) == ("templates", 2, "warning")


def test_a_file_without_providers_is_remarked(load_text):
    assert [notice.code for notice in load_text("debug: true").notices] == ["no_providers"]


def test_a_feature_of_several_settings_is_said_at_the_first(load_text):
    loaded = load_text("health_check:\n  interval: 5\n  memory: true\n  cache: true\n")
    told = [(notice.path, notice.line) for notice in loaded.notices if notice.code == "health_check"]
    assert told == [("health_check.memory", 3)]


def test_a_limit_of_an_endpoint_that_has_none_is_remarked_where_it_stands(load_text):
    loaded = load_text("rate_limit:\n  endpoints:\n    /v1/embeddings: 5\n    images: 5\n    /v1/models: 5\n    chats: 5\n")
    told = [(notice.path, notice.line) for notice in loaded.notices if notice.code == "endpoint_limit"]
    assert told == [("rate_limit.endpoints./v1/models", 5), ("rate_limit.endpoints.chats", 6)]
    assert codes(load_text("rate_limit: {enabled: false, endpoints: {chats: 5}}")) == []
