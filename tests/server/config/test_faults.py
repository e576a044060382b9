"""Every fault of a file is told at once, with its place, its path and what would be right."""

import pytest


def test_all_faults_are_told_at_once_in_the_order_of_the_file(fail_text):
    error = fail_text(
        """\
        sever: {}
        server:
          port: 70000
          drain_s: -1
        providers:
          - name: a
            type: openai
            timeout: 0
          - name: a
            type: nothing_like_it
        rate_limit:
          window_seconds: soon
        """
    )
    assert [(fault.line, fault.path) for fault in error.faults] == [
        (1, "sever"),
        (3, "server.port"),
        (4, "server.drain_s"),
        (8, "providers[0].timeout"),
        (9, "providers[1].name"),
        (10, "providers[1].type"),
        (12, "rate_limit.window_seconds"),
    ]
    assert str(error).count("\n") == 6
    assert str(error).startswith(f"{error.file}:1:1: sever: unknown key; did you mean `server`?")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("providers: [{name: a, type: openai, api_key_evn: X}]", "did you mean `api_key_env`?", id="same level"),
        pytest.param("providers: [{name: a, type: openai, baseUrl: x}]", "did you mean `base_url`?", id="another case"),
        pytest.param("max_body_mb: 3", "did you mean `max_body_mb` of `server`?", id="another level"),
        pytest.param("server: {base_url: x}", "did you mean `base_url` of `providers[]`?", id="a level of rows"),
        pytest.param("server: {api_key_header: x}", "did you mean `api_key_header` of the top level?", id="the top level"),
        pytest.param("rate_limit_rpn: 3", "did you mean `rate_limit_rpm`?", id="a flat key"),
        pytest.param("auth: {api_keys: [{kye: a, sha256: b}]}", "did you mean `key`?", id="a key of a key"),
        pytest.param("auth: {api_keys: [{digest: a}]}", "did you mean `sha256`?", id="a field that loading fills"),
        pytest.param("zzzzqqqq: 3", "zzzzqqqq: unknown key", id="nothing near"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(text, said, fail_text):
    assert said in str(fail_text(text))


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        pytest.param("server: {port: -1}", "server.port", "greater than or equal to 0", id="a port below"),
        pytest.param("server: {grpc_port: 65536}", "server.grpc_port", "less than or equal to 65535", id="a port above"),
        pytest.param("server: {port: true}", "server.port", "not true or false", id="a truth as number"),
        pytest.param("server: {port: 80.5}", "server.port", "integer", id="half a port"),
        pytest.param("server: {drain_s: .inf}", "server.drain_s", "finite", id="without end"),
        pytest.param("server: {max_body_mb: 2048}", "server.max_body_mb", "less than or equal to 2047", id="beyond gRPC"),
        pytest.param("server: {debug: maybe}", "server.debug", "true or false", id="not a truth"),
        pytest.param("server: 8000", "server", "must be a mapping", id="a number as section"),
        pytest.param("server: {tls: {cert_file: a}}", "server.tls.key_file", "is required", id="half of TLS"),
        pytest.param("app: {version: 2.0}", "app.version", "put it in quotes", id="a number as text"),
        pytest.param("providers: {name: a}", "providers", "must be a list", id="a mapping as list"),
        pytest.param("providers: [a]", "providers[0]", "must be a mapping", id="a word as row"),
        pytest.param("logging: {level: LOUD}", "logging.level", "'DEBUG'", id="an unknown level"),
        pytest.param("telemetry: {sampling: {probability: 2}}", "telemetry.sampling.probability", "1", id="too probable"),
        pytest.param("security: {sanitize: all}", "security.sanitize", "'strip'", id="an unknown policy"),
        pytest.param("redis: {url: localhost}", "redis.url", "address", id="no address"),
        pytest.param("routing: {aliases: {'a b': c}}", "routing.aliases.?", "as a key", id="a bad alias"),
        pytest.param("auth: {api_key_header: 'X Key'}", "auth.api_key_header", "header name", id="a blank in a header"),
    ],
)
def test_a_value_out_of_range_is_told(text, path, said, fail_text):
    faults = fail_text(text).faults
    assert [(fault.path, fault.line) for fault in faults] == [(path, 1)]
    assert said in faults[0].message


def test_a_whole_number_too_large_for_a_float_is_told(fail_text):
    assert fail_text("server: {drain_s: " + "9" * 400 + "}").faults[0].path == "server.drain_s"


def test_security_may_be_off_without_quotes(load_text):
    assert load_text("security: {sanitize: off}").settings.security.sanitize == "off"


def test_an_error_holds_no_other_exception(fail_text):
    error = fail_text("server: {port: x}")
    assert (error.__cause__, error.__context__) == (None, None)
