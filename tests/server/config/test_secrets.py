"""No error, remark or printed settings ever show a secret, and settings have digests of callers' keys only."""

import hashlib
import pickle
import traceback

import pytest

CANARY = "sk-canary-5f0c1b"
ENV = {"CANARY": CANARY, "BROKEN": CANARY + "\nsecond line", "OTHER": "fine"}


@pytest.mark.parametrize(
    "text",
    [
        "auth: {api_keys: CANARY}",
        "auth: {api_keys: [CANARY, CANARY]}",
        "auth: {api_keys: [[CANARY]]}",
        "auth: {api_keys: {CANARY: 1}}",
        "auth: {api_keys: [{CANARY: 1}]}",
        "auth: {api_keys: [{key: CANARY, CANARY: 1}]}",
        "auth: {api_keys: [{key: [CANARY]}]}",
        "auth: {api_keys: ['CANARY with blanks']}",
        "auth: {api_keys: [{sha256: CANARY}]}",
        "auth: {api_keys: [{key_env: CANARY}]}",
        "auth: {api_keys: [{key: a, roles: [CANARY]}]}",
        "auth: {api_keys: [{key: a, roles: CANARY, name: 'CANARY !'}]}",
        "auth: {api_keys: [{key: CANARY, key_env: OTHER}]}",
        "auth: CANARY",
        "api_keys: CANARY",
        "api_keys: [CANARY]\nauth: {api_keys: [other]}",
        "password: CANARY",
        "server: {pasword: {a: CANARY}}",
        "CANARY: 1",
        "CANARY",
        "a: *CANARY",
        "a: !CANARY b",
        "a: ['CANARY' 'CANARY']",
        "a: 'CANARY",
        'a: "CANARY \\q"',
        "%CANARY",
        "CANARY: 1\nCANARY: 2",
        "port: CANARY",
        "debug: CANARY",
        "host: ${CANARY !}",
        "port: ${CANARY}",
        "redis: {url: CANARY}",
        "redis: {url: [CANARY]}",
        "storage: {url: {CANARY: 1}}",
        "security: {sanitize: CANARY}",
        "providers: CANARY",
        "providers: [CANARY]",
        "providers: [{name: a, type: CANARY}]",
        "providers: [{name: 'CANARY !', type: openai}]",
        "providers: [{name: CANARY, type: openai}, {name: CANARY, type: openai}]",
        "providers: [{name: a, type: openai, api_key: 'CANARY with blanks'}]",
        "providers: [{name: a, type: openai, api_key: [CANARY]}]",
        "providers: [{name: a, type: openai, api_key: {CANARY: CANARY}}]",
        "providers: [{name: a, type: openai, api_key: CANARY, api_key_env: OTHER}]",
        "providers: [{name: a, type: openai, api_key_env: CANARY}]",
        "providers: [{name: a, type: openai, api_key_env: BROKEN}]",
        "providers: [{name: a, type: openai, api_kye: CANARY}]",
        "providers: [{name: a, type: openai, base_url: 'https://user:CANARY@host/v1'}]",
        "providers: [{name: a, type: openai, base_url: 'https://host/v1?key=CANARY'}]",
        "providers: [{name: a, type: openai, base_url: 'https://host:CANARY/v1'}]",
        "providers: [{name: a, type: openai, base_url: 'https://[CANARY/v1'}]",
        "providers: [{name: a, type: openai, custom_headers: CANARY}]",
        "providers: [{name: a, type: openai, custom_headers: {'Bearer CANARY': x}}]",
        'providers: [{name: a, type: openai, custom_headers: {X-Key: "CANARY\\r\\nX: y"}}]',
        "providers: [{name: a, type: openai, custom_headers: {X-Key: [CANARY]}}]",
        "providers: [{name: a, type: openai, models: CANARY}]",
        "providers: [{name: a, type: openai, models: ['CANARY !']}]",
    ],
)
def test_no_error_shows_a_secret(text, fail_text):
    error = fail_text(text.replace("CANARY", CANARY).replace("${" + CANARY + "}", "${CANARY}"), ENV)
    told = [str(error), repr(error), repr(error.faults), *traceback.format_exception(error)]
    assert CANARY not in "\n".join(told)


def test_settings_and_remarks_show_no_secret(load_text):
    loaded = load_text(
        f"""\
        auth: {{api_keys: [{CANARY}-a, {{key: {CANARY}-b}}, {{key_env: CANARY}}]}}
        redis: {{url: "redis://:{CANARY}@127.0.0.1/0"}}
        storage: {{url: "postgresql://u:{CANARY}@127.0.0.1/db"}}
        providers:
          - {{name: a, type: openai, api_key: {CANARY}}}
          - {{name: b, type: openai, api_key_env: CANARY, custom_headers: {{X-Key: {CANARY}}}}}
          - {{name: c, type: openai, api_key_env: nothing_of_the_kind}}
        """,
        ENV,
    )
    assert CANARY not in repr(loaded)
    assert CANARY not in str(loaded.settings)
    assert "nothing_of_the_kind" not in repr(loaded.notices)
    assert [row.api_key.get_secret_value() for row in loaded.settings.providers[:2]] == [CANARY, CANARY]


def test_settings_have_digests_of_callers_keys_only(load_text):
    loaded = load_text(
        f"""\
        auth:
          api_keys:
            - {CANARY}-text
            - key: {CANARY}-mapping
              name: batch
              roles: [completion]
            - key_env: CANARY
            - sha256: "{hashlib.sha256(b"given").hexdigest().upper()}"
              name: given
        """,
        ENV,
    )
    texts = (f"{CANARY}-text", f"{CANARY}-mapping", CANARY, "given")
    assert [key.digest for key in loaded.settings.auth.api_keys] == [hashlib.sha256(t.encode()).digest() for t in texts]
    assert [key.name for key in loaded.settings.auth.api_keys] == ["key-1", "batch", "key-3", "given"]
    assert [key.roles for key in loaded.settings.auth.api_keys][:2] == [("completion", "admin"), ("completion",)]
    assert CANARY.encode() not in pickle.dumps(loaded.settings)
    assert tuple(key.get_secret_value() for key in loaded.plain_keys) == texts[:3]
    assert CANARY not in repr(loaded)


def test_a_default_name_gives_way_to_a_given_one(load_text):
    keys = load_text("api_keys: [{key: a, name: key-2}, b]").settings.auth.api_keys
    assert [key.name for key in keys] == ["key-2", "key-3"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param("''", "visible ASCII", id="empty"),
        pytest.param("12345", "key in quotes", id="a number"),
        pytest.param("{name: a}", "exactly one of", id="no form"),
        pytest.param("{key: a, sha256: b}", "exactly one of", id="two forms"),
        pytest.param("{sha256: abc}", "64 hexadecimal", id="half a digest"),
        pytest.param("{key_env: ABSENT}", "`ABSENT` is not set", id="an unset variable"),
        pytest.param("{key: a, roles: []}", "at least 1", id="no roles"),
        pytest.param("{key: a, roles: [owner]}", "'metrics:read' or 'admin'", id="an unknown role"),
    ],
)
def test_an_unusable_key_is_a_fault(entry, said, fail_text):
    assert said in str(fail_text(f"auth: {{api_keys: [{entry}]}}"))


@pytest.mark.parametrize("keys", ["[a, a]", "[{key: a, name: x}, {key: b, name: x}]"], ids=["key", "name"])
def test_a_key_or_name_that_stands_twice_is_a_fault(keys, fail_text):
    assert "stands on line 1 already" in str(fail_text(f"api_keys: {keys}"))
