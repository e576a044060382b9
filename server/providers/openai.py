"""OpenAI's dialect: chat, text completions, embeddings and images over HTTP, for every vendor that speaks it."""

from collections.abc import AsyncGenerator, Callable
from urllib.parse import quote

from server.config.provider_kind import ProviderKind
from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask, Batch, Operation, Provider, ProviderContext
from server.providers.errors import Fault, ProviderError
from server.providers.openai_answer import AnswerStream, Json, read_json, whole_chat, whole_chat_unread, whole_text
from server.providers.openai_errors import refusal
from server.providers.openai_request import request_body
from server.providers.openai_vendors import UNBUILT, VENDORS, Vendor
from server.providers.sse import SseParser
from trunkline.v1.completion_service_pb2 import CreateEmbeddingsResponse, CreateImagesResponse
from trunkline_json import EMBEDDING_LIST, IMAGE_LIST

KINDS = (
    *(
        ProviderKind(
            type=vendor.type,
            base_url=vendor.base_url,
            api_key_env=vendor.key_env,
            needs_key=vendor.needs_key,
            models=vendor.models,
            built=True,
            aliases=vendor.aliases,
        )
        for vendor in VENDORS
    ),
    *(
        ProviderKind(type=name, base_url=None, api_key_env=(), needs_key=True, models=(), built=False, needs_base_url=False)
        for name in UNBUILT
    ),
)

_PATHS = {
    Operation.CHAT: "chat/completions",
    Operation.TEXT: "completions",
    Operation.EMBEDDINGS: "embeddings",
    Operation.IMAGES: "images/generations",
}
_AZURE_API_VERSION = "2024-10-21"
"""Azure's latest stable version of the deployment form. Source: https://learn.microsoft.com/azure/ai-foundry (2026-11)."""


def build(context: ProviderContext) -> "OpenAi":
    """Builds the provider of a row whose type is one of `KINDS`."""
    vendor = next(vendor for vendor in VENDORS if vendor.type == context.settings.type)
    return OpenAi(context, vendor)


class OpenAi(Provider):
    """A provider that speaks OpenAI's dialect.

    Args:
        context: what every provider is built from.
        vendor: the vendor's ways.
    """

    def __init__(self, context: ProviderContext, vendor: Vendor) -> None:
        self.operations = vendor.operations
        self._vendor = vendor
        self._http = context.http
        self._clock = context.clock
        self._endpoint = _endpoint(context.settings, vendor)
        self._headers = _headers(context.settings, vendor)

    async def stream(self, ask: Ask) -> AsyncGenerator[Batch, None]:
        """Asks the vendor, and yields what each read brought; see `Provider.stream`."""
        body = request_body(ask, self._vendor)
        url = self._endpoint(_PATHS[ask.operation], ask.model)
        async with await self._http.post(url, self._headers, body, ask.timeout_s) as answer:
            if answer.status != 200:
                raise refusal(answer.status, answer.headers, await answer.error_body(), self._clock())
            if not ask.streamed:
                yield self._whole(ask, await answer.body())
                return
            if answer.content_type != "text/event-stream":
                read_json(await answer.error_body(), "stream")  # an error object says more
                raise ProviderError(Fault.PROTOCOL, "The provider's answer is not a stream.")
            parser = SseParser()
            stream = AnswerStream(ask, self._vendor, int(self._clock()))
            while not stream.done:
                read = await answer.read()
                batch = stream.batch(parser.complete(read) if read else parser.rest())
                if batch is not None:
                    yield batch
                if not read:
                    break
            stream.end()

    def _whole(self, ask: Ask, body: bytes) -> Batch:
        if ask.as_json and self._vendor.verbatim and ask.operation is Operation.CHAT:
            unread = whole_chat_unread(body)
            if unread is not None:
                return unread
        answer = read_json(body, "answer")
        match ask.operation:
            case Operation.CHAT:
                return whole_chat(answer, self._vendor)
            case Operation.TEXT:
                return whole_text(answer, self._vendor)
            case Operation.EMBEDDINGS:
                _list_of_objects(answer)
                return CreateEmbeddingsResponse(embeddings=EMBEDDING_LIST.parse(answer, False))
            case Operation.IMAGES:
                _list_of_objects(answer)
                return CreateImagesResponse(images=IMAGE_LIST.parse(answer, False))


def _list_of_objects(answer: Json) -> None:
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ProviderError(Fault.PROTOCOL, "The provider's answer has no data.")


def _endpoint(settings: ProviderSettings, vendor: Vendor) -> Callable[[str, str], str]:
    """From an operation's path and a model to the URL."""
    base = (settings.base_url or vendor.base_url or "").rstrip("/")
    if vendor.type != "azure_openai" or base.endswith("/openai/v1"):
        return lambda path, model: f"{base}/{path}"
    version = settings.api_version or _AZURE_API_VERSION
    base = base.removesuffix("/openai")

    def deployment(path: str, model: str) -> str:
        name = settings.deployments.get(model) or settings.deployment_id or model
        return f"{base}/openai/deployments/{quote(name, safe='')}/{path}?api-version={version}"

    return deployment


def _headers(settings: ProviderSettings, vendor: Vendor) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "trunkline"}
    if settings.api_key is not None:
        key = settings.api_key.get_secret_value()
        if vendor.type == "azure_openai":
            headers["api-key"] = key
        else:
            headers["Authorization"] = f"Bearer {key}"
    if settings.organization:
        headers["OpenAI-Organization"] = settings.organization
    if settings.project:
        headers["OpenAI-Project"] = settings.project
    return {**headers, **settings.custom_headers}
