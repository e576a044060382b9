"""The provider of Bedrock's dialect against the scripted vendor: real HTTP, real signatures, and the vendor's strictness."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from botocore.session import Session

from server.providers.base import Ask, ListedModel, Operation, Provider, ProviderContext
from server.providers.bedrock.auth import load_signer, missing_library, region_of
from server.providers.bedrock.kinds import KINDS
from server.providers.bedrock.listing import control_plane
from server.providers.bedrock.provider import Bedrock, build
from server.providers.bedrock.sigv4 import SigV4Signer
from server.providers.errors import Fault, ProviderError
from tests.fakes.answers import Answer, Part, Raw, Status, Text, Thinking, ToolCall, Usage
from tests.fakes.anthropic_answers import signature_of
from tests.fakes.bedrock_signature import ACCESS_KEY, REGION
from tests.fakes.faults import BadJson, Batch, Cut, ErrorInStream, HtmlOk, NoDone, Reset, SplitBytes, Stall
from tests.fakes.faults import Fault as WireFault
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import NOW, WEATHER, chat_ask, chat_batches, chunks_of, completion, context, failure

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
USAGE = Usage(100, 20, cached_tokens=60, cache_write_tokens=10)
RICH = Thinking("Hm, well.") + Text("Let me look.") + ToolCall("weather", {"city": "Pärïs"}) + ToolCall("weather", {})


@pytest.fixture
async def given(vendor: ScriptedVendor) -> AsyncIterator[ProviderContext]:
    async with context("bedrock", base_url=vendor.url, api_key=vendor.key) as given:
        yield given


@pytest.fixture
async def provider(given: ProviderContext) -> Provider:
    return build(given)


def signing(given: ProviderContext, secret: str, token: str | None = None, region: str | None = REGION) -> Bedrock:
    """A provider that signs with credentials of its own."""
    session = Session()
    session.set_credentials(ACCESS_KEY, secret, token)
    return Bedrock(given, lambda _: SigV4Signer(session, region))


def ask(body: dict[str, object] | None = None, streamed: bool = False, model: str = MODEL) -> Ask:
    return chat_ask(body or {}, model, streamed)


def test_its_kind_needs_an_address_and_no_key() -> None:
    (kind,) = KINDS
    assert (kind.type, kind.base_url, kind.needs_base_url, kind.needs_key) == ("bedrock", None, True, False)
    assert kind.api_key_env[0] == "AWS_BEARER_TOKEN_BEDROCK"
    assert kind.missing_without_key is missing_library
    assert missing_library() is None


WITHOUT_BOTOCORE = """
import sys
sys.modules["botocore"] = None
from server.config.provider_kind import find_kind
from server.providers.bedrock.auth import load_signer
from server.providers.errors import ProviderError
from server.providers.loader import provider_kinds
print(find_kind(provider_kinds(), "bedrock").missing_without_key())
try:
    load_signer(None)
except ProviderError as error:
    print(error.fault.name, error.message)
"""


def test_without_the_library_all_works_but_signing() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_BOTOCORE], capture_output=True, text=True, check=True, timeout=60)
    told, refused = ran.stdout.splitlines()
    assert "install `trunkline[bedrock]`" in told
    assert refused.startswith("AUTHENTICATION")
    assert told in refused


def test_the_library_signs_with_the_credentials_of_the_process() -> None:
    assert isinstance(load_signer("us-west-2"), SigV4Signer)


async def test_a_key_is_a_bearer_token(vendor: ScriptedVendor, provider: Provider) -> None:
    await chat_batches(provider, ask())
    assert vendor.requests[0].headers["authorization"] == f"Bearer {vendor.key}"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [MODEL, PROFILE, "".join(map(chr, range(33, 127))), "a b é"])
async def test_requests_are_signed_as_they_are_sent(vendor: ScriptedVendor, streamed: bool, model: str) -> None:
    async with context("bedrock", base_url=vendor.url, custom_headers={"x-amzn-own": "one  two"}) as given:
        answer = await completion(signing(given, vendor.key, "a-token"), ask({}, streamed, model))
    assert answer.choices[0].message.content
    assert answer.model == model
    assert vendor.requests[0].headers["x-amz-security-token"] == "a-token"
    assert "x-amzn-own" in vendor.requests[0].headers["authorization"]


async def test_requests_for_lists_are_signed_too(vendor: ScriptedVendor) -> None:
    async with context("bedrock", base_url=vendor.url) as given:
        provider = signing(given, vendor.key)
        await provider.check(timeout_s=5)
        assert await provider.models(timeout_s=5) == ()


async def test_a_wrong_secret_is_an_authentication_error(vendor: ScriptedVendor) -> None:
    async with context("bedrock", base_url=vendor.url) as given:
        error = await failure(signing(given, "wrong-secret"), ask())
    assert (error.fault, error.message) == (Fault.AUTHENTICATION, "The request signature does not match")


async def test_no_credentials_are_an_authentication_error(vendor: ScriptedVendor) -> None:
    class Nobody(Session):  # type: ignore[misc]
        def get_credentials(self) -> None:
            return None

    async with context("bedrock", base_url=vendor.url) as given:
        error = await failure(Bedrock(given, lambda _: SigV4Signer(Nobody(), REGION)), ask())
    assert error.fault is Fault.AUTHENTICATION
    assert vendor.requests == []


async def test_the_region_is_told_by_the_address(vendor: ScriptedVendor) -> None:
    seen: list[str | None] = []

    def load(region: str | None) -> SigV4Signer:
        seen.append(region)
        raise ProviderError(Fault.AUTHENTICATION, "None here.")

    for address in ("https://bedrock-runtime.eu-central-1.amazonaws.com", vendor.url):
        async with context("bedrock", base_url=address) as given:
            await failure(Bedrock(given, load), ask())
    assert seen == ["eu-central-1", None]


@pytest.mark.parametrize(
    ("address", "region", "lists"),
    [
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            "us-east-1",
            "https://bedrock.us-east-1.amazonaws.com",
        ),
        (
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            "https://bedrock-fips.us-gov-west-1.amazonaws.com",
        ),
        ("https://vpce-1-a.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "eu-west-3", None),
        ("http://127.0.0.1:9", None, "http://127.0.0.1:9"),
        ("https://bedrock.example.com/aws", None, "https://bedrock.example.com/aws"),
    ],
)
def test_an_address_tells_its_region_and_where_the_lists_are(address: str, region: str | None, lists: str | None) -> None:
    assert (region_of(address), control_plane(address)) == (region, lists)


async def test_other_operations_are_not_its_own(provider: Provider) -> None:
    assert provider.operations == {Operation.CHAT}
    assert (await failure(provider, Ask(Operation.TEXT, ask().request, MODEL, streamed=False))).fault is Fault.UNSUPPORTED


async def test_only_older_claudes_go_on_from_a_beginning(provider: Provider) -> None:
    names = (MODEL, "global.anthropic.claude-opus-4-8", "amazon.nova-2-lite-v1:0")
    assert [provider.continues(name) for name in names] == [True, False, False]


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_arrives_whole(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Answer(RICH.parts, usage=USAGE))
    batches = await chat_batches(provider, ask(WEATHER, streamed))
    vendor.add(Answer(RICH.parts, usage=USAGE))
    answer = await completion(provider, ask(WEATHER, streamed))
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "tool_calls", "assistant")
    assert (choice.message.content, choice.message.reasoning_content) == ("Let me look.", "Hm, well.")
    (thought,) = choice.message.thinking_blocks
    assert (thought.thinking, thought.signature) == ("Hm, well.", signature_of(Thinking("Hm, well.")))
    calls = [(call.type, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    assert calls == [("function", "weather", '{"city":"Pärïs"}'), ("function", "weather", "{}")]
    assert (answer.id, answer.model, answer.create_time.seconds) == ("request-2", MODEL, int(NOW))
    usage = batches[-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert (usage.input_tokens_details.cached_tokens, usage.input_tokens_details.cache_write_tokens) == (60, 10)


async def test_an_unstreamed_answer_is_one_chunk_with_the_usage(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Answer((Text("Hello"),), usage=USAGE, extra={"trace": {"guardrail": {}}, "serviceTier": {"type": "flex"}}))
    (batch,) = await chat_batches(provider, ask())
    (chunk,) = batch.chunks
    assert batch.finishing
    assert chunk.usage == batch.usage
    assert (chunk.service_tier, chunk.extra_json) == ("flex", '{"trace":{"guardrail":{}}}')


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Text("Hi", finish_reason="length"), "length"),
        (Text("Hi", finish_reason="content_filter"), "content_filter"),
        (Text("Hi", finish_reason="content_filtered"), "content_filter"),
    ],
)
async def test_answers_end_for_openais_reasons(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Part, reason: str
) -> None:
    vendor.add(answer)
    assert (await completion(provider, ask(streamed=streamed))).choices[0].finish_reason == reason


@pytest.mark.parametrize("faults", [(SplitBytes(1),), (Batch(),), (Batch(3), SplitBytes(7))], ids=str)
async def test_a_stream_is_the_same_however_it_is_sent(
    vendor: ScriptedVendor, provider: Provider, faults: tuple[WireFault, ...]
) -> None:
    vendor.add(Text("Hello there, 世界"), Text("Hello there, 世界").with_fault(*faults))
    wanted, sent = [
        [list(chunk.choices) for chunk in chunks_of(await chat_batches(provider, ask(streamed=True)))] for _ in range(2)
    ]
    assert sent == wanted


@pytest.mark.parametrize(
    ("fault", "streamed", "kind"),
    [
        (NoDone(), True, Fault.PROTOCOL),
        (HtmlOk(), True, Fault.PROTOCOL),
        (HtmlOk(), False, Fault.PROTOCOL),
        (BadJson(), True, Fault.PROTOCOL),
        (BadJson(), False, Fault.PROTOCOL),
        (Cut(after_events=3), True, Fault.CONNECTION),
        (Cut(after_events=3, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=150, whole_http=True), True, Fault.PROTOCOL),
        (Cut(after_bytes=20), False, Fault.CONNECTION),
        (Cut(), False, Fault.CONNECTION),
        (Reset(after_events=3), True, Fault.CONNECTION),
        (ErrorInStream(after_events=1, status=429), True, Fault.RATE_LIMITED),
        (ErrorInStream(after_events=3, status=424), True, Fault.SERVER),
        (ErrorInStream(after_events=3, status=503), True, Fault.OVERLOADED),
    ],
)
async def test_a_broken_answer_is_an_error(
    vendor: ScriptedVendor, provider: Provider, fault: WireFault, streamed: bool, kind: Fault
) -> None:
    vendor.add(Text("Hello there, you").with_fault(fault))
    assert (await failure(provider, ask(streamed=streamed))).fault is kind


async def test_an_answer_that_has_ended_is_whole_though_its_body_breaks(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("Hello there, you").with_fault(Cut(after_events=7)))
    assert (await completion(provider, ask(streamed=True))).choices[0].message.content == "Hello there, you"


@pytest.mark.parametrize("place", ['"trace":{"a":"%"}', '"additionalModelResponseFields":["%"]'])
async def test_bytes_that_are_no_text_are_an_error(vendor: ScriptedVendor, provider: Provider, place: str) -> None:
    answer = b'{"output":{"message":{"content":[]}},"stopReason":"end_turn","usage":{},%b}' % place.encode()
    vendor.add(Raw(200, {"content-type": "application/json"}, answer.replace(b"%", b"\xff")))
    assert (await failure(provider, ask())).fault is Fault.PROTOCOL


async def test_a_wrong_checksum_is_an_error(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Raw(200, {"content-type": "application/vnd.amazon.eventstream"}, (b"\0" * 64,)))
    assert (await failure(provider, ask(streamed=True))).fault is Fault.PROTOCOL


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(400), Fault.INVALID_REQUEST),
        (Status(400, message="Input is too long for requested model."), Fault.CONTEXT_LENGTH),
        (Status(400, message="prompt is too long: 210000 tokens > 200000 maximum"), Fault.CONTEXT_LENGTH),
        (Status(400, message="Too many input tokens. Max input tokens: 8192"), Fault.CONTEXT_LENGTH),
        (Status(400, message="The provided model identifier is invalid."), Fault.MODEL_NOT_FOUND),
        (Status(400, type="ServiceQuotaExceededException"), Fault.RATE_LIMITED),
        (Status(400, type="ConflictException"), Fault.SERVER),
        (Status(403), Fault.AUTHENTICATION),
        (Status(403, type="ExpiredTokenException"), Fault.AUTHENTICATION),
        (Status(404), Fault.MODEL_NOT_FOUND),
        (Status(408), Fault.TIMEOUT),
        (Status(418), Fault.INVALID_REQUEST),
        (Status(424), Fault.SERVER),
        (Status(429), Fault.RATE_LIMITED),
        (Status(429, type="ModelNotReadyException"), Fault.OVERLOADED),
        (Status(500), Fault.SERVER),
        (Status(502, body=b"<html>"), Fault.SERVER),
        (Status(503, body=b""), Fault.OVERLOADED),
        (Status(302, headers={"location": "http://127.0.0.1:1/"}), Fault.PROTOCOL),
    ],
    ids=lambda value: f"{value.status} {value.type or value.message[:6]}" if isinstance(value, Status) else value.name,
)
async def test_refusals_are_told_by_name_and_status(
    vendor: ScriptedVendor, provider: Provider, streamed: bool, answer: Status, kind: Fault
) -> None:
    vendor.add(answer)
    error = await failure(provider, ask(streamed=streamed))
    assert (error.fault, error.status) == (kind, answer.status)
    assert error.message


async def test_a_wrong_key_is_an_authentication_error(vendor: ScriptedVendor) -> None:
    async with context("bedrock", base_url=vendor.url, api_key="sk-wrong") as given:
        error = await failure(build(given), ask())
    assert error.fault is Fault.AUTHENTICATION
    assert "sk-wrong" not in error.message


async def test_chunks_arrive_before_the_stream_ends_and_leaving_it_closes_the_connection(
    vendor: ScriptedVendor, provider: Provider
) -> None:
    vendor.add(Text("Hello there").with_fault(Stall(after_events=2)))
    async with aclosing(provider.stream(ask(streamed=True))) as batches:
        first = await anext(batches)
    assert first.chunks[0].choices[0].delta.role == "assistant"  # type: ignore[union-attr]
    assert (await vendor.next_disconnect()).request.path.endswith("/converse-stream")


def summary(id: str, outputs: list[str], types: list[str] | None = None) -> dict[str, object]:
    arn = f"arn:aws:bedrock:us-west-2::foundation-model/{id}"
    inputs = {"providerName": "Some", "inputModalities": ["TEXT", "IMAGE"], "outputModalities": outputs}
    return {"modelId": id, "modelArn": arn, **inputs, **({"inferenceTypesSupported": types} if types else {})}


async def test_models_and_profiles_are_listed(vendor: ScriptedVendor, provider: Provider) -> None:
    summaries = [
        summary("some.chat", ["TEXT"], ["ON_DEMAND"]),
        summary("some.profiled", ["TEXT"], ["INFERENCE_PROFILE"]),
        summary("some.vectors", ["EMBEDDING"]),
    ]
    arn = {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/some.profiled"}
    first = {"inferenceProfileId": "us.some.profiled", "status": "ACTIVE", "models": [arn]}
    second = {"inferenceProfileId": "eu.unknown", "models": [{"modelArn": "arn:x"}]}
    vendor.add(Status(200, body={"modelSummaries": summaries}), path="/foundation-models")
    vendor.add(
        Status(200, body={"inferenceProfileSummaries": [first], "nextToken": "a/b="}),
        Status(200, body={"inferenceProfileSummaries": [second]}),
        path="/inference-profiles",
    )
    assert await provider.models(timeout_s=5) == (
        ListedModel("some.chat", owned_by="Some", capabilities=frozenset({"chat", "vision"})),
        ListedModel("some.vectors", owned_by="Some", capabilities=frozenset({"embeddings"})),
        ListedModel("us.some.profiled", owned_by="Some", capabilities=frozenset({"chat", "vision"})),
        ListedModel("eu.unknown"),
    )
    assert vendor.requests[-1].query == {"maxResults": "1000", "nextToken": "a/b="}


async def test_a_list_that_is_none_is_an_error(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Status(200, body={"models": []}), path="/foundation-models")
    with pytest.raises(ProviderError) as raised:
        await provider.models(timeout_s=5)
    assert raised.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(403), Fault.UNSUPPORTED),
        (Status(403, type="UnrecognizedClientException"), Fault.AUTHENTICATION),
        (Status(503), Fault.OVERLOADED),
    ],
)
async def test_a_check_fails_where_it_tells_something(
    vendor: ScriptedVendor, provider: Provider, answer: Status, kind: Fault
) -> None:
    vendor.add(answer, path="/inference-profiles")
    with pytest.raises(ProviderError) as raised:
        await provider.check(timeout_s=5)
    assert raised.value.fault is kind


async def test_private_endpoints_have_no_lists() -> None:
    async with context("bedrock", base_url="https://v.bedrock-runtime.eu-west-3.vpce.amazonaws.com", api_key="k") as given:
        with pytest.raises(ProviderError) as raised:
            await build(given).check(timeout_s=5)
    assert raised.value.fault is Fault.UNSUPPORTED
