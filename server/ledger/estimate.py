"""What a completion may use and cost, before it is asked for: from lengths alone, no tokenizer is run.

Four bytes of text count as a token, which for languages of many bytes a letter is nearer than four letters. Of code, of
numbers, and with some vendors it is more; more than one to a byte it never is. It is for reservations, which are corrected
when the completion is settled.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from server.ledger.cost import MOST_MICROS, cost_micros
from server.ledger.price import ATOMS, Price, to_atoms
from trunkline.v1.chat_pb2 import ChatCompletionRequest, ContentPart, Usage
from trunkline.v1.text_pb2 import EmbeddingRequest, ImageRequest, TextCompletionRequest, TextInput, VideoRequest

Request = ChatCompletionRequest | TextCompletionRequest | EmbeddingRequest | ImageRequest | VideoRequest

USUAL_OUTPUT = 4096
"""Output tokens of a request that sets no limit."""
_USUAL_TOKENS = 1000
_USUAL_S = 20
"""How long so many tokens take at fifty a second."""
_TOKEN_BYTES = 4
_TEXT_LIMIT = 16
"""What an older text completion generates at most, where nothing is said."""
_MESSAGE = 4
_IMAGE = 1024
_LOW_IMAGE = 85
_SOUND_BYTES = 400
"""Of base64 for a token: some ten tokens a second of compressed sound."""
_FILE_BYTES = 40
"""Of base64 for a token: documents are mostly markup and images."""
_FILE = 1024
"""Tokens of a file that the provider has."""
_IMAGE_OUTPUT = 4160
"""Tokens of a generated image at a model's usual best."""
_MICROS = Decimal(1_000_000)
_MOST = 1 << 53


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """What a completion may use.

    Attributes:
        input_tokens: of the prompt, as is expected.
        output_tokens: of all its answers together.
        image_count: images to be generated.
        most_input_tokens: of the prompt, if each byte of its text is one.
    """

    input_tokens: int
    output_tokens: int
    image_count: int
    most_input_tokens: int

    @property
    def tokens(self) -> int:
        """All that are expected."""
        return self.input_tokens + self.output_tokens

    @property
    def most_tokens(self) -> int:
        """All that there may be."""
        return self.most_input_tokens + self.output_tokens


def text_tokens(byte_count: int) -> int:
    """The tokens of so many bytes of text."""
    return -(-byte_count // _TOKEN_BYTES)


def estimate(request: Request, max_output_tokens: int | None = None, usual_output: int | None = USUAL_OUTPUT) -> Estimate:
    """What a request may use.

    Args:
        request: the contract's.
        max_output_tokens: the most that the model generates for one answer; None: not known.
        usual_output: what is held back for an answer that the request sets no limit to; None: all that the model may
            generate.
    """
    if isinstance(request, ChatCompletionRequest):
        limit = _limit(request.max_completion_tokens or request.max_tokens, max_output_tokens, usual_output)
        count = request.n
        return _estimated(*_of_chat(request), limit * count if count > 1 else limit)
    if isinstance(request, TextCompletionRequest):
        told = request.max_tokens if request.HasField("max_tokens") else _TEXT_LIMIT
        limit = min(told, _MOST if max_output_tokens is None else max_output_tokens)
        tokens, byte_count, prompt_count = _of_input(request.prompt)
        output_tokens = max(limit, 0) * prompt_count * max(request.n, request.best_of, 1)
        return _estimated(tokens, byte_count + len(request.suffix.encode()), output_tokens)
    if isinstance(request, EmbeddingRequest):
        return _estimated(*_of_input(request.input)[:2], 0)
    byte_count = len(request.prompt.encode())
    if isinstance(request, ImageRequest):
        count = max(request.n, 1)
        return _estimated(0, byte_count, _IMAGE_OUTPUT * count, count)
    return _estimated(0, byte_count, 0)


def estimate_micros(estimated: Estimate, price: Price | None) -> tuple[int, int] | None:
    """What so much is expected to cost, and what it may, in millionths of a US dollar, rounded up.

    The dearest kinds count: input that is written to the cache, output that is reasoning. An hour's price does not: how
    long it takes is not known. None: the price is not known.
    """
    if price is None:
        return None
    most = _atoms(estimated, estimated.most_input_tokens, price)
    if most is None:
        return None
    if price.tiers:
        expected = _atoms(estimated, estimated.input_tokens, price)
    else:
        expected = most - (price.rates.dearest.input or 0) * (estimated.most_input_tokens - estimated.input_tokens)
    return None if expected is None else (_micros(expected), _micros(max(most, expected)))


def usual_micros(price: Price | None, writes: bool = True) -> int | None:
    """What a request costs that uses a thousand tokens of each kind, for comparing prices; None: the price is not known.

    Args:
        price: the model's; None: not known.
        writes: whether it has output; that of an embedding is no tokens, and mostly has no price.
    """
    return cost_micros(Usage(input_tokens=_USUAL_TOKENS, output_tokens=_USUAL_TOKENS * writes), price, _USUAL_S)


def _estimated(tokens: int, byte_count: int, output_tokens: int, image_count: int = 0) -> Estimate:
    """Of tokens, and bytes of text beside them."""
    return Estimate(tokens + text_tokens(byte_count), output_tokens, image_count, tokens + byte_count)


def _micros(atoms: int) -> int:
    return min(-(-atoms // ATOMS), MOST_MICROS)


def _atoms(estimated: Estimate, input_tokens: int, price: Price) -> int | None:
    """What it costs where the input is that large; None: the price is not known."""
    output_tokens = estimated.output_tokens
    rates = price.rates_of(input_tokens).dearest
    dollars = price.request
    if estimated.image_count and price.image is not None:
        dollars += price.image * estimated.image_count
        output_tokens = 0
    atoms = to_atoms(dollars * _MICROS) if dollars else 0
    of_output = rates.output_image if estimated.image_count else rates.output
    if input_tokens > 0:
        if rates.input is None:
            return None
        atoms += rates.input * input_tokens
    if output_tokens > 0:
        if of_output is None:
            return None
        atoms += of_output * output_tokens
    return atoms


def _limit(told: int, most: int | None, usual: int | None) -> int:
    """The tokens to hold back for one answer."""
    wanted = told if told > 0 else usual
    if most is None:
        return USUAL_OUTPUT if wanted is None else wanted
    return most if wanted is None else min(wanted, most)


def _of_chat(request: ChatCompletionRequest) -> tuple[int, int]:
    """Tokens, and bytes of text beside them: a message's encoded form, which is measured faster than its fields are."""
    tokens = byte_count = 0
    for tool in request.tools[:]:
        byte_count += tool.ByteSize()
    if request.HasField("response_format"):
        byte_count += request.response_format.ByteSize()
    for message in request.messages[:]:
        tokens += _MESSAGE
        if message.content_parts:
            of_parts, text_bytes = _of_parts(message.content_parts)
            tokens += of_parts
            byte_count += text_bytes + sum(call.ByteSize() for call in message.tool_calls)
            byte_count += len(message.reasoning_content.encode()) + len(message.reasoning.encode())
            byte_count += sum(block.ByteSize() for block in message.thinking_blocks)
        else:
            byte_count += message.ByteSize()
    return tokens, byte_count


def _of_parts(parts: Iterable[ContentPart]) -> tuple[int, int]:
    tokens = byte_count = 0
    for part in parts:
        if part.HasField("image_url"):
            tokens += _LOW_IMAGE if part.image_url.detail == "low" else _IMAGE
        elif part.HasField("input_audio"):
            tokens += 1 + len(part.input_audio.data) // _SOUND_BYTES
        elif part.HasField("file"):
            tokens += 1 + len(part.file.file_data) // _FILE_BYTES if part.file.file_data else _FILE
        else:
            byte_count += part.ByteSize()
    return tokens, byte_count


def _of_input(given: TextInput) -> tuple[int, int, int]:
    """Tokens, bytes of text beside them, and how many texts they are of."""
    form = given.WhichOneof("form")
    if form == "tokens":
        return len(given.tokens.values), 0, 1
    if form == "token_lists":
        lists = given.token_lists.values
        return sum(len(each.values) for each in lists), 0, max(len(lists), 1)
    if form == "texts":
        return 0, given.texts.ByteSize(), max(len(given.texts.values), 1)
    return 0, given.ByteSize(), 1
