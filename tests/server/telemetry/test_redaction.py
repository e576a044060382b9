"""Secrets leave no text, and texts without secrets stay as they are."""

import json
from functools import partial
from urllib.parse import quote

import pytest

from server.telemetry.redaction import MASK, Redaction, cut_at_word

SECRET = 'p4ss"wörd\\with,everything}&in it'

SHAPES = {
    "OpenAI's": ("Incorrect API key provided: sk-proj-abcDEF123_-456.", "sk-proj-abcDEF123_-456"),
    "Anthropic's": ("key sk-ant-api03-abcdef_012345", "sk-ant-api03-abcdef_012345"),
    "xAI's": ("xai-0123456789abcdefABCDEF", "xai-0123456789abcdefABCDEF"),
    "Groq's": ("gsk_0123456789abcdefABCDEF", "gsk_0123456789abcdefABCDEF"),
    "Google's": ("key AIzaSyA0123456789abcdefABCDEF", "AIzaSyA0123456789abcdefABCDEF"),
    "a user's at AWS by its id": ("id AKIAIOSFODNN7EXAMPLE.", "AKIAIOSFODNN7EXAMPLE"),
    "a session's at AWS by its id": ("id ASIAIOSFODNN7EXAMPLE.", "ASIAIOSFODNN7EXAMPLE"),
    "a bearer's": ("got 'Bearer abc.def.ghi' there", "abc.def.ghi"),
    "a header's": ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
    "another header's": ("X-API-Key: 0123abcd", "0123abcd"),
    "in a repr": ("{'api_key': '0123abcd', 'a': 1}", "0123abcd"),
    "in JSON": ('{"api_key":"0123abcd"}', "0123abcd"),
    "in JSON in JSON": (json.dumps({"error": '{"password": "0123abcd"}'}), "0123abcd"),
    "an assignment": ("OPENAI_API_KEY=0123abcd", "0123abcd"),
    "in an address": ("GET https://host/v1?key=0123abcd&alt=sse", "0123abcd"),
    "of an address": ("cannot reach https://user:0123abcd@host/v1", "0123abcd"),
    "a client's": ("client_secret: 0123abcd", "0123abcd"),
    "a session's at AWS": ("should have been\nx-amz-date:1\nx-amz-security-token:IQoJb3+/ab==\n\nhost", "IQoJb3+/ab=="),
    "a session's in a variable": ("AWS_SESSION_TOKEN=0123abcd", "0123abcd"),
    "a user's at AWS": ("aws_secret_access_key = 0123abcd", "0123abcd"),
}

HARMLESS = [
    "Send it as `authorization: Bearer KEY` or `x-api-key: KEY`.",
    "No provider serves the model `gpt-4o`.",
    "task-12345678 asked for 4096 tokens: too many",
    "http://127.0.0.1:8000/v1?limit=3&after=model",
    "The bearer of bad news",
    '{"event":"call","input_tokens":12,"code":"OK","caller":"first-key"}',
    "providers.0.api_key_env: must be the name of a variable",
    "basic auth",
    "ASIAPACIFICREGIONANDBEYOND, EURASIA0123456789ABCDEF and akiaiosfodnn7example",
]


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"before {SECRET} after",
        json.dumps({"a": SECRET}),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        json.dumps({"a": json.dumps({"b": SECRET})}),
        json.dumps({"a": json.dumps({"b": SECRET}, ensure_ascii=False)}, ensure_ascii=False),
        repr({"a": SECRET}),
        json.dumps({"exception": repr({"a": SECRET})}),
        f"https://host/?q={quote(SECRET, safe='')}",
        f"password={SECRET}",
    ],
)
def test_a_known_secret_is_masked_however_it_is_written(text: str) -> None:
    masked = Redaction([SECRET]).text(text)
    assert MASK in masked
    for piece in ("p4ss", "rd\\", "everything", "in it", "in%20it"):
        assert piece not in masked


@pytest.mark.parametrize(("text", "secret"), SHAPES.values(), ids=SHAPES)
def test_what_looks_like_a_secret_is_masked_and_nothing_around_it(text: str, secret: str) -> None:
    assert Redaction().text(text) == text.replace(secret, MASK)


@pytest.mark.parametrize(("text", "secret"), [*SHAPES.values(), (SECRET, SECRET)], ids=[*SHAPES, "a known one"])
def test_half_a_character_beside_a_secret_hides_nothing(text: str, secret: str) -> None:
    assert Redaction([SECRET]).text(f"\ud83d {text}") == f"\ud83d {text.replace(secret, MASK)}"


@pytest.mark.parametrize("before", ["\n", "\t", "\x1f", "鍵は：", "鍵は"])
@pytest.mark.parametrize(("text", "secret"), SHAPES.values(), ids=SHAPES)
def test_a_secret_is_masked_wherever_it_begins_and_within_json_too(text: str, secret: str, before: str) -> None:
    masked, text = text.replace(secret, MASK), f"said{before}{text}"
    for write in (str, json.dumps, partial(json.dumps, ensure_ascii=False), lambda said: json.dumps(json.dumps(said))):
        assert Redaction().text(write(text)) == write(f"said{before}{masked}")


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert Redaction([SECRET]).text(text) == text


def test_a_json_text_stays_one() -> None:
    for secret in (SECRET, "0123abcd", 'a"b"c"d"e'):
        for value in (secret, f"password: {secret}", f'{{"api_key": "{secret}"}}', f"Bearer {secret}", f"?key={secret}"):
            line = json.dumps({"before": [1, {"x": value}], "after": True})
            assert json.loads(Redaction([SECRET]).text(line))["after"] is True


def test_a_secret_that_begins_with_another_one_is_masked_whole() -> None:
    redaction = Redaction(["abcdefgh", "abcdefghijkl"])
    assert redaction.text("abcdefghijkl abcdefgh") == f"{MASK} {MASK}"


def test_secrets_too_short_to_be_one_mask_nothing() -> None:
    assert Redaction(["a", "", "true"]).text("a true story") == "a true story"


def test_what_is_masked_stays_so_when_it_is_masked_again() -> None:
    redaction = Redaction([SECRET])
    for text, _ in SHAPES.values():
        once = redaction.text(text)
        assert redaction.text(once) == once


@pytest.mark.parametrize("longest", range(20, 60))
@pytest.mark.parametrize("before", ["The key is ", '{"key":"', "key='", "鍵は無効です："])
def test_a_cut_leaves_no_beginning_of_a_secret(before: str, longest: int) -> None:
    text = Redaction([secret := "zq9+8w/7e=6r.5t"]).text(cut_at_word(f"{before}{secret} is wrong, as are others", longest))
    assert len(text) <= longest
    assert "z" not in text
    assert text.startswith(before.split()[0][:10])


def test_a_cut_shows_and_leaves_short_texts_as_they_are() -> None:
    assert cut_at_word("One two three", 12) == "One two..."
    assert cut_at_word("One two three", 13) == "One two three"


def test_of_one_long_word_a_cut_leaves_nothing() -> None:
    assert cut_at_word("x" * 100, 20) == ""
