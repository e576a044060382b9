"""Both shapes of the file, and every other spelling, come out as the same settings."""

import hashlib
from pathlib import Path

import pytest

from server.config import load

DATA = Path(__file__).parent / "data"
ENV = {"OPENAI_API_KEY": "vendor-key", "PROXY_API_OPENAI_API_KEY": "proxy-key", "ANTHROPIC_API_KEY": "other-key"}


@pytest.mark.parametrize("file", sorted(DATA.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_example_loads(file, kinds):
    assert load(file, ENV, kinds).file_size_bytes == file.stat().st_size


def test_the_nested_example_fills_every_section(kinds):
    settings = load(DATA / "nested.yaml", ENV, kinds).settings
    assert (settings.app.name, settings.app.environment) == ("Night Desk", "staging")
    assert (settings.server.host, settings.server.port) == ("127.0.0.2", 8123)
    assert [row.name for row in settings.providers] == ["first", "second"]
    assert settings.providers[0].keepalive_expiry == 25
    assert settings.circuit_breaker.failure_threshold == 4
    assert settings.condensation.error_patterns == ("context_length_exceeded", "prompt is too long")
    assert settings.caching.response_cache.ttl == 120
    assert settings.memory.max_usage_percent == 80
    assert settings.http_client.pool_limits.keepalive_expiry == 22
    assert settings.logging.rotation.max_files == 3
    assert settings.health_check.context_service is False
    assert settings.telemetry.sampling.probability == 0.25
    assert settings.chaos_engineering.faults[1].error_code == 502
    assert settings.rate_limit.burst_limit == 20
    assert settings.templates.directory == "prompts"


def test_the_flat_example_becomes_nested(kinds):
    settings = load(DATA / "flat.yaml", ENV, kinds).settings
    assert (settings.app.name, settings.app.version, settings.app.config_file) == ("Flat Desk", "5.0.0", "config.yaml")
    assert (settings.server.host, settings.server.port, settings.server.debug) == ("127.0.0.3", 8765, True)
    assert settings.server.cors_origins == ("*",)
    assert settings.auth.api_key_header == "X-Flat-Key"
    assert settings.auth.api_keys[0].digest == hashlib.sha256(b"flat-desk-key").digest()
    assert (settings.rate_limit.requests_per_window, settings.rate_limit.window_seconds) == (700, 90)
    assert settings.http_client.timeout == 240
    assert (settings.circuit_breaker.failure_threshold, settings.circuit_breaker.recovery_timeout) == (7, 80)
    assert (settings.logging.level, settings.logging.file) == ("ERROR", None)


def test_the_other_spelling_of_a_provider_row_is_read(kinds):
    row = load(DATA / "flat_provider.yaml", ENV, kinds).settings.providers[0]
    assert (row.keepalive_expiry, row.rate_limit, row.api_key.get_secret_value()) == (35, None, "proxy-key")


def test_the_other_spelling_of_condensation_is_read(kinds):
    condensation = load(DATA / "flat_condensation.yaml", ENV, kinds).settings.condensation
    assert condensation.summary_max_tokens == 300
    assert condensation.error_patterns == ("context_length_exceeded", "too many tokens")
    assert (condensation.adaptive_factor, condensation.cache_ttl, condensation.enabled) == (0.4, 150, True)


def test_database_is_another_word_for_storage(load_text):
    storage = load_text("database: {url: 'sqlite:///a.db'}").settings.storage
    assert storage.url.get_secret_value() == "sqlite:///a.db"


def test_the_same_value_in_both_shapes_is_accepted(load_text):
    assert load_text("port: 9000\nserver: {port: 9000}").settings.server.port == 9000


def test_different_values_in_both_shapes_are_a_fault_of_the_flat_one(fail_text):
    error = fail_text("server:\n  port: 9000\nport: 9001\n")
    assert [(fault.path, fault.line, fault.message) for fault in error.faults] == [
        ("port", 3, "differs from `server.port` on line 2; give one of them")
    ]


def test_a_fault_in_a_flat_value_is_told_by_its_flat_name(fail_text):
    assert [(fault.path, fault.line, fault.column) for fault in fail_text("debug: true\nport: 70000\n").faults] == [
        ("port", 2, 7)
    ]


def test_a_section_with_nothing_under_it_is_absent(load_text):
    settings = load_text("server:\nrate_limit:\nlogging:\n  rotation:\n").settings
    assert (settings.server.port, settings.rate_limit, settings.logging.rotation) == (8000, None, None)


def test_a_flat_rate_has_the_defaults_of_the_section(load_text):
    rates = load_text("rate_limit_rpm: 60").settings.rate_limit
    assert (rates.requests_per_window, rates.window_seconds, rates.burst_limit, rates.scopes) == (60, 60, 50, ())


def test_rates_of_scopes_are_read(load_text):
    text = "rate_limit: {scopes: [{scope: model, name: gpt-*, tokens_per_window: 5}]}"
    row = load_text(text).settings.rate_limit.scopes[0]
    assert (row.scope, row.name, row.tokens_per_window, row.requests_per_window) == ("model", "gpt-*", 5, None)


def test_a_scope_without_a_limit_is_a_fault(fail_text):
    error = fail_text("rate_limit: {scopes: [{scope: tenant}]}")
    assert [fault.path for fault in error.faults] == ["rate_limit.scopes[0]"]


def test_redis_lets_pass_what_it_cannot_count_unless_told_otherwise(load_text):
    assert load_text("redis: {url: 'redis://127.0.0.1'}").settings.redis.on_failure == "fail_open"
    text = "redis: {url: 'redis://127.0.0.1', on_failure: fail_closed}"
    assert load_text(text).settings.redis.on_failure == "fail_closed"
