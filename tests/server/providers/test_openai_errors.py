"""What a refusal of a vendor of OpenAI's dialect means, told from its status and its code."""

import orjson
import pytest

from server.providers.errors import Fault
from server.providers.openai.errors import refusal, told

NOW = 1_794_000_000.0
CANARY = "canary-0123456789"
LONG = f"{CANARY} " * 1000


def body(message: str = "Why.", **fields: object) -> bytes:
    return orjson.dumps({"error": {"message": message, **fields}})


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, Fault.INVALID_REQUEST),
        (401, Fault.AUTHENTICATION),
        (402, Fault.AUTHENTICATION),
        (403, Fault.AUTHENTICATION),
        (404, Fault.MODEL_NOT_FOUND),
        (405, Fault.INVALID_REQUEST),
        (408, Fault.TIMEOUT),
        (409, Fault.SERVER),
        (413, Fault.INVALID_REQUEST),
        (415, Fault.INVALID_REQUEST),
        (422, Fault.INVALID_REQUEST),
        (424, Fault.SERVER),
        (429, Fault.RATE_LIMITED),
        (498, Fault.OVERLOADED),
        (499, Fault.SERVER),
        (500, Fault.SERVER),
        (502, Fault.SERVER),
        (503, Fault.OVERLOADED),
        (504, Fault.TIMEOUT),
        (520, Fault.SERVER),
        (524, Fault.TIMEOUT),
        (529, Fault.OVERLOADED),
        (204, Fault.PROTOCOL),
        (302, Fault.PROTOCOL),
    ],
)
def test_a_status_has_its_meaning(status: int, fault: Fault) -> None:
    error = refusal(status, {}, body() if status != 302 else b"", NOW)
    assert (error.fault, error.status) == (fault, status)


@pytest.mark.parametrize(
    ("status", "fields", "fault"),
    [
        (400, {"code": "context_length_exceeded"}, Fault.CONTEXT_LENGTH),
        (400, {"code": "content_filter", "status": 400, "innererror": {}}, Fault.CONTENT_FILTER),
        (400, {"code": "content_policy_violation"}, Fault.CONTENT_FILTER),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, Fault.AUTHENTICATION),
        (429, {"code": None, "type": "insufficient_quota"}, Fault.AUTHENTICATION),
        (404, {"code": "DeploymentNotFound"}, Fault.MODEL_NOT_FOUND),
        (429, {"code": "429"}, Fault.RATE_LIMITED),
        (401, {"code": "401"}, Fault.AUTHENTICATION),
        (400, {"code": 400, "metadata": {"error_type": "context_length_exceeded"}}, Fault.CONTEXT_LENGTH),
        (502, {"code": 502, "metadata": {"error_type": "rate_limit_exceeded"}}, Fault.RATE_LIMITED),
        (429, {"code": "3505", "type": "service_tier_capacity_exceeded"}, Fault.OVERLOADED),
        (503, {"code": None, "type": "server_error"}, Fault.OVERLOADED),
        (400, {"code": "string_above_max_length", "param": "user"}, Fault.INVALID_REQUEST),
        (400, {"code": ["odd"], "type": {}}, Fault.INVALID_REQUEST),
    ],
)
def test_a_code_says_more_than_a_status(status: int, fields: dict[str, object], fault: Fault) -> None:
    assert refusal(status, {}, body("Why.", **fields), NOW).fault is fault


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        "Please reduce the length of the messages or completion.",
        "litellm.BadRequestError: AnthropicException - prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "Input is too long for requested model.",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "prompt tokens (140000) exceed model maximum (131072)",
        "You passed 5000 input tokens and requested 100 output tokens. However, the model's context length is only 4096",
        "This endpoint's maximum context length is 4096 tokens. However, you requested about 5000 tokens",
        "prompt too long; exceeded max context length by 10 tokens",
        "the input length exceeds the context length",
    ],
    ids=lambda text: text[:30],
)
def test_texts_of_those_who_have_no_code_tell_of_an_overflow(text: str) -> None:
    assert refusal(400, {}, body(text), NOW).fault is Fault.CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "Invalid 'user': string too long. Expected a string with maximum length 64."),
        (429, "Request too large for gpt-4o: Limit 30000, Requested 40000. Please reduce the length of the messages."),
        (429, "Service tier capacity exceeded for this model."),
        (500, "The maximum context length is 5 tokens"),
    ],
)
def test_texts_that_only_look_like_it_tell_of_no_overflow(status: int, text: str) -> None:
    assert refusal(status, {}, body(text), NOW).fault is not Fault.CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b'{"error":{"message":"Why.","type":"t","param":"p","code":"c"}}', "Why."),
        (b'{"object":"error","message":"Why.","type":"invalid","param":null,"code":"1500"}', "Why."),
        (b'{"object":"error","message":{"detail":[{"loc":["body","n"],"msg":"x"}]}}', "n: x"),
        (b'{"detail":[{"loc":["body"],"msg":"x"}]}', "x"),
        (b'{"message":"Why.","statusCode":418}', "Why."),
        (b'{"error":{"message":"litellm.BadRequestError: OpenAIException - Why."}}', "Why."),
        (b'{"error":{"message":"Provider returned error","metadata":{"raw":"Why."}}}', "Provider returned error: Why."),
        (b'{"detail":"Why."}', "Why."),
        (b'{"code":"Client specified an invalid argument","error":"Why."}', "Why."),
        (b'{"error":"Unauthorized"}', "Unauthorized"),
        (b'{"message":"Unauthorized","request_id":"x"}', "Unauthorized"),
        (b"<html>Bad gateway</html>", "The provider answered with status 418."),
        (b"", "The provider answered with status 418."),
        (b"[]", "The provider answered with status 418."),
        (b"null", "The provider answered with status 418."),
        (b'{"error":null}', "The provider answered with status 418."),
        (b'{"error":[1]}', "The provider answered with status 418."),
        (b'{"error":{"message":null}}', "The provider answered with status 418."),
        (b"\xff\xfe", "The provider answered with status 418."),
    ],
    ids=lambda value: value.decode("latin-1")[:40] if isinstance(value, bytes) else "",
)
def test_every_form_of_a_body_says_its_message(said: bytes, message: str) -> None:
    assert refusal(418, {}, said, NOW).message == message


@pytest.mark.parametrize(
    "error",
    [
        {"message": LONG},
        {"message": {"detail": [{"loc": ["body", "n"], "msg": LONG}]}},
        {"message": {"detail": [{"loc": ["body"], "msg": LONG}]}},
        {"message": {"said": LONG}},
        {"message": "Provider returned error", "metadata": {"raw": LONG}},
        {"message": "Why.", "failed_generation": LONG},
    ],
    ids=["a text", "of a field", "of no field", "an object", "of the vendor behind", "a generation"],
)
def test_a_long_text_is_cut_between_two_words(error: dict[str, object]) -> None:
    told = refusal(400, {}, orjson.dumps({"error": error}), NOW)
    for text in (told.message, told.failed_generation):
        assert len(text) <= 2000
        assert "c" not in text.replace(CANARY, "")
    assert CANARY in told.message + told.failed_generation


def test_the_field_at_fault_and_the_time_to_come_back_are_kept() -> None:
    error = refusal(429, {"retry-after": "7"}, body(param="messages"), NOW)
    assert (error.param, error.retry_after_s) == ("messages", 7.0)


@pytest.mark.parametrize("param", [None, 5, ["a"]])
def test_a_param_that_is_no_text_is_none(param: object) -> None:
    assert refusal(400, {}, body(param=param), NOW).param == ""


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"message": "Why.", "code": 429}, Fault.RATE_LIMITED),
        ({"message": "Why.", "code": 502, "metadata": {"error_type": "provider_overloaded"}}, Fault.OVERLOADED),
        ({"message": "Why.", "code": "rate_limit_exceeded"}, Fault.RATE_LIMITED),
        ({"message": "Why.", "type": "server_error"}, Fault.SERVER),
        ({"message": "Why."}, Fault.SERVER),
        ({"message": "Why.", "code": 7}, Fault.SERVER),
        ("Why.", Fault.SERVER),
    ],
)
def test_an_error_in_a_good_answer_means_what_it_says(error: object, fault: Fault) -> None:
    said = told({"error": error})
    assert (said.fault, said.message) == (fault, "Why.")
