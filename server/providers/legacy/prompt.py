"""The contract's chat and text requests -> what the older forms know: turns of plain text, a limit, and sampling.

What plain text cannot carry is refused; parameters that a form does not have are dropped or refused as the settings say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from server.config.provider_settings import ProviderSettings
from server.providers.base import Ask, Operation
from server.providers.capabilities import Gate
from server.providers.errors import Fault, ProviderError
from server.providers.unsupported import no_words, unsupported
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline.v1.text_pb2 import TextCompletionRequest
from trunkline_json import CHAT_REQUEST, TEXT_REQUEST, Misfit

Json = dict[str, object]

_MAX_TOKENS = 1024
"""How many tokens to let it generate when nobody says: the older forms want a limit, and their models had small ones."""

_SHAPING = (
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "modalities",
    "prediction",
    "best_of",
)
_SPEAKERS = {"system": "System", "developer": "System", "user": "User", "assistant": "Assistant"}
_OPENING = "(The conversation begins.)"
"""Said for the user where a conversation begins with the assistant, which Anthropic's form does not allow."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker, `System`, `User` or `Assistant`, says."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Plain:
    """A request as an older form can have it.

    Attributes:
        turns: the conversation; empty where a text is to be completed.
        text: the text to be completed; empty where there is a conversation.
        max_tokens: the most tokens of the answer.
        parameters: the sampling parameters that the form has, by OpenAI's names; only those that were given.
        user: the caller's name for the end user.
    """

    turns: tuple[Turn, ...]
    text: str
    max_tokens: int
    parameters: Mapping[str, object]
    user: str

    @property
    def stops(self) -> list[str]:
        """Texts that end the answer."""
        stop = self.parameters.get("stop")
        given = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
        return [text for text in given if isinstance(text, str) and text]


def plain_request(ask: Ask, settings: ProviderSettings, takes: frozenset[str]) -> Plain:
    """Takes out of a request what an older form has.

    Args:
        ask: for chat or text.
        settings: of the provider.
        takes: the names of the parameters that the form has.

    Raises:
        ProviderError: UNSUPPORTED for what it cannot have; INVALID_REQUEST where a `*_json` field holds no JSON.
    """
    gate = Gate.of(settings)
    given = _rendered(ask)
    _refuse_structure(given)
    for name in _SHAPING:
        if name in given and name not in takes:
            gate.refuse(name, given[name])
    limit = given.get("max_completion_tokens") or given.get("max_tokens") or settings.default_max_tokens or _MAX_TOKENS
    request = cast(ChatCompletionRequest | TextCompletionRequest, ask.request)
    chat = isinstance(request, ChatCompletionRequest)
    return Plain(
        turns=_turns(request.messages) if isinstance(request, ChatCompletionRequest) else (),
        text="" if chat else _text(cast(TextCompletionRequest, request)),
        max_tokens=cast(int, limit),
        parameters={name: given[name] for name in _SHAPING if name in takes and given.get(name) is not None},
        user=request.user,
    )


def lines(plain: Plain, apart: str) -> str:
    """The prompt in which each turn is `Speaker: text`, and the assistant's next one is left open."""
    if plain.text:
        return plain.text
    said = [f"{turn.speaker}: {turn.text}" for turn in plain.turns]
    if plain.turns[-1].speaker != "Assistant":
        said.append("Assistant: ")
    return apart.join(said)


def human_assistant(plain: Plain) -> str:
    """The prompt in Anthropic's form: system texts, then turns of `Human` and `Assistant`, the last one left open."""
    if plain.text.startswith("\n\nHuman:"):
        return plain.text
    turns = plain.turns or (Turn("User", plain.text),)
    system = "\n\n".join(turn.text for turn in turns if turn.speaker == "System")
    spoken = [turn for turn in turns if turn.speaker != "System"]
    if not spoken or spoken[0].speaker == "Assistant":
        spoken.insert(0, Turn("User", _OPENING))
    names = {"User": "Human", "Assistant": "Assistant"}
    said = "".join(f"\n\n{names[turn.speaker]}: {turn.text}" for turn in spoken)
    return system + (said.rstrip() if spoken[-1].speaker == "Assistant" else f"{said}\n\nAssistant:")


def query(plain: Plain) -> str:
    """What the user said last.

    Raises:
        ProviderError: UNSUPPORTED where the user said nothing.
    """
    asked = plain.text or next((turn.text for turn in reversed(plain.turns) if turn.speaker == "User"), "")
    if not asked:
        raise unsupported("The provider needs a message of the user.", "messages")
    return asked


def _rendered(ask: Ask) -> Json:
    try:
        if ask.operation is Operation.CHAT:
            return CHAT_REQUEST.render(cast(ChatCompletionRequest, ask.request))
        return TEXT_REQUEST.render(cast(TextCompletionRequest, ask.request))
    except Misfit as misfit:
        raise ProviderError(
            Fault.INVALID_REQUEST, f"`{misfit.path}` must be {misfit.expected}.", param=misfit.path
        ) from None


def _refuse_structure(given: Json) -> None:
    form = given.get("response_format")
    shaped = isinstance(form, dict) and form.get("type") != "text"
    for param, present in {
        "tools": bool(given.get("tools") or given.get("functions")),
        "response_format": shaped,
        "n": given.get("n") not in (None, 1),
        "echo": bool(given.get("echo")),
        "suffix": bool(given.get("suffix")),
    }.items():
        if present:
            raise unsupported(f"The provider's older form cannot express `{param}`.", param)


def _turns(messages: Iterable[Message]) -> tuple[Turn, ...]:
    turns = tuple(turn for message in messages if (turn := _turn(message)).text)
    if not turns:
        raise no_words()
    return turns


def _turn(message: Message) -> Turn:
    speaker = _SPEAKERS.get(message.role)
    if speaker is None or message.tool_calls:
        raise unsupported("The provider's older form has no calls of tools.", "messages")
    texts = [message.content or message.refusal]
    for part in message.content_parts:
        if part.type not in ("text", "refusal"):
            raise unsupported("The provider's older form takes text only.", "messages.content")
        texts.append(part.text or part.refusal)
    return Turn(speaker, "".join(texts))


def _text(request: TextCompletionRequest) -> str:
    prompt = request.prompt
    texts = [prompt.text] if prompt.WhichOneof("form") == "text" else list(prompt.texts.values)
    if len(texts) != 1 or not texts[0]:
        raise unsupported("The provider's older form takes one prompt, as text.", "prompt")
    return texts[0]
