"""Provider rows are completed from their kind, the environment and `http_client`, and checked."""

import pytest

from server.config import embedded_defaults


def row_of(load_text, row, env=None):
    return load_text(f"providers:\n  - {{name: a, {row}}}", env).settings.providers[0]


def test_a_row_takes_its_address_models_and_key_from_its_kind(load_text):
    row = row_of(load_text, "type: openai", {"PROXY_API_OPENAI_API_KEY": " key \n"})
    assert (row.base_url, row.models) == ("https://api.openai.com/v1", ("gpt-4o", "gpt-4o-mini"))
    assert row.api_key.get_secret_value() == "key"


def test_the_first_usual_variable_wins(load_text):
    env = {"OPENAI_API_KEY": "first", "PROXY_API_OPENAI_API_KEY": "second"}
    assert row_of(load_text, "type: openai", env).api_key.get_secret_value() == "first"


def test_a_usual_key_is_not_sent_to_another_address(load_text):
    row = row_of(load_text, "type: openai, base_url: 'http://127.0.0.1:9/v1/'", {"OPENAI_API_KEY": "first"})
    assert (row.base_url, row.api_key) == ("http://127.0.0.1:9/v1", None)


def test_an_alias_names_its_type(load_text):
    assert row_of(load_text, "type: xai").type == "grok"


def test_a_named_variable_that_is_not_set_is_a_notice(load_text):
    loaded = load_text("providers:\n  - name: a\n    type: openai\n    api_key_env: ABSENT\n", {"OPENAI_API_KEY": "x"})
    assert [(n.code, n.path, n.line) for n in loaded.notices] == [("api_key_not_set", "providers[0].api_key_env", 4)]
    assert loaded.settings.providers[0].api_key is None


def test_a_disabled_row_gives_no_notice(load_text):
    loaded = load_text("providers: [{name: a, type: openai, enabled: false, api_key_env: ABSENT, max_retries: 3}]")
    assert (loaded.notices, loaded.settings.providers[0].enabled) == ((), False)


def test_what_a_row_without_a_key_lacks_is_a_fault(fail_text):
    error = fail_text("providers:\n  - {name: a, type: signing, base_url: 'http://127.0.0.1:9'}")
    assert "install a signer" in str(error)


@pytest.mark.parametrize("row", ["api_key: k", "api_key_env: NAMED", "enabled: false"])
def test_a_row_with_a_key_and_a_disabled_one_lack_nothing(load_text, row):
    row_of(load_text, f"type: signing, base_url: 'http://127.0.0.1:9', {row}", {"NAMED": "k"})


def test_a_usual_key_is_a_key(load_text):
    row = row_of(load_text, "type: signing, base_url: 'http://127.0.0.1:9'", {"SIGNING_KEY": "k"})
    assert row.api_key.get_secret_value() == "k"


def test_rows_without_their_own_times_take_those_of_the_http_client(load_text):
    first, second = load_text(
        """\
        http_client: {timeout: 20, read_timeout: 5, pool_limits: {max_connections: 7}}
        providers: [{name: a, type: echo}, {name: b, type: echo, timeout: 30, max_connections: 9}]
        """
    ).settings.providers
    assert (first.timeout, first.idle_timeout, first.max_connections, first.connect_timeout) == (20, 5, 7, 10)
    assert (second.timeout, second.idle_timeout, second.max_connections) == (30, 5, 9)


def test_defaults_hold_where_nothing_is_said(load_text):
    row = row_of(load_text, "type: echo")
    assert (row.timeout, row.connect_timeout, row.priority, row.weight, row.max_connections) == (600, 10, 100, 1, 100)
    assert (row.chunk_delay_ms, row.http2, row.dialect, row.base_url, row.rate_limit) == (0, False, "current", None, None)


def test_names_of_models_may_hold_what_vendors_use(load_text):
    models = ["a/b:free", "ft:gpt-4o:org::x1", "model@2024", "c++", "vendor/*", "x" * 200]
    assert row_of(load_text, f"type: echo, models: {models}").models == tuple(models)


@pytest.mark.parametrize(
    ("row", "path", "said"),
    [
        ("type: opnai", "providers[0].type", "did you mean `openai`?"),
        ("type: zzz", "providers[0].type", "known are anthropic,"),
        ("type: azure_openai", "providers[0]", "needs a `base_url`"),
        ("type: echo, base_url: 'ftp://x'", "providers[0].base_url", "http://"),
        ("type: echo, base_url: 'http://u:p@x'", "providers[0].base_url", "credentials"),
        ("type: echo, base_url: 'http://x:99999'", "providers[0].base_url", "http://"),
        ("type: echo, base_url: 'http://x/?a=b'", "providers[0].base_url", "`?`"),
        ("type: echo, models: ['a b']", "providers[0].models[0]", "not allowed"),
        ("type: echo, models: ['" + "x" * 201 + "']", "providers[0].models[0]", "too long"),
        ("type: echo, weight: -1", "providers[0].weight", "greater"),
        ("type: echo, timeout: 0", "providers[0].timeout", "greater than 0"),
        ("type: echo, rate_limit: 0", "providers[0].rate_limit", "greater"),
        ("type: echo, dialect: old", "providers[0].dialect", "'legacy'"),
        ("type: echo, dialect: legacy", "providers[0].dialect", "no older form; known are those of `anthropic`"),
        ('type: echo, custom_headers: {X-A: "a\\nb"}', "providers[0].custom_headers.?", "one line"),
        ('type: echo, custom_headers: {X-A: "a\\0b"}', "providers[0].custom_headers.?", "one line"),
        ("type: echo, custom_headers: {'X A': b}", "providers[0].custom_headers.?", "header name"),
    ],
)
def test_an_unusable_row_is_a_fault(row, path, said, fail_text):
    faults = fail_text(f"providers: [{{name: a, {row}}}]").faults
    assert [fault.path for fault in faults] == [path]
    assert said in faults[0].message


@pytest.mark.parametrize("name", ["'a b'", "''", "x" * 65, "ä"])
def test_an_unusable_name_is_a_fault(name, fail_text):
    assert fail_text(f"providers: [{{name: {name}, type: echo}}]").faults[0].path == "providers[0].name"


def test_without_a_file_echo_and_every_vendor_with_a_key_are_served(kinds):
    loaded = embedded_defaults({"ANTHROPIC_API_KEY": "k", "COHERE_API_KEY": "k", "AZURE_OPENAI_API_KEY": "k"}, kinds)
    assert [(row.name, row.models) for row in loaded.settings.providers] == [
        ("echo", ("echo",)),
        ("anthropic", ("claude-opus-4-5",)),
        ("cohere", ("command-a",)),
    ]
    assert loaded.notices == ()
    assert (loaded.path, loaded.file_size_bytes) == (None, 0)


def test_a_vendor_with_an_older_form_can_be_told_to_speak_it(load_text):
    loaded = load_text("providers: [{name: a, type: anthropic, api_key: k, dialect: legacy}]")
    assert [row.dialect for row in loaded.settings.providers] == ["legacy"]
    assert loaded.notices == ()
