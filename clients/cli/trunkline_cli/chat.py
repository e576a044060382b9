"""`trunkline chat`: one question, or a conversation."""

import contextlib
import importlib
import sys
from collections.abc import Generator
from typing import Annotated

import typer

from trunkline.v1.chat_pb2 import ChatCompletionChunk, ChatCompletionRequest, Message
from trunkline_cli.connected import connected
from trunkline_cli.connection import Connection
from trunkline_cli.interrupts import hold_back
from trunkline_cli.terminal import open_console, print_line, visible
from trunkline_client import Client, TrunklineError

_PROMPT = "> "


def _chat(
    connection: Connection,
    message: Annotated[
        str | None,
        typer.Argument(
            help="The question. Without one: what is piped in; on a terminal a conversation, which Ctrl-D ends.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", envvar="TRUNKLINE_MODEL", help="The model to ask.")] = "echo",
    system: Annotated[
        str | None,
        typer.Option(
            "--system", "-s", envvar="TRUNKLINE_SYSTEM", help="What the model is to know first.", show_default=False
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            envvar="TRUNKLINE_TEMPERATURE",
            min=0,
            max=2,
            help="How freely to answer; the provider decides by itself without it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Ask a model, and show its answer as it comes.

    In a conversation Ctrl-C stops an answer and Ctrl-D ends the conversation.
    """
    question = _question(message)
    first = [Message(role="system", content=_utf8(system))] if system else []
    request = ChatCompletionRequest(model=_utf8(model), messages=first, temperature=temperature)
    with connection.open() as client:
        if question is not None:
            request.messages.append(Message(role="user", content=question))
            Answer().show(client, request)
        else:
            _converse(client, request, connection)


chat = connected(_chat, timeout_s=600.0)


class Answer:
    """An answer while it comes.

    Attributes:
        text: what has come of it so far.
    """

    def __init__(self) -> None:
        self.text = ""

    def show(self, client: Client, request: ChatCompletionRequest) -> None:
        """Asks, and writes each piece as soon as it is there; leaving early ends the call.

        Raises:
            TrunklineError: the call failed.
        """
        reason = ""
        try:
            with contextlib.closing(_chunks(client, request)) as chunks:
                for chunk in chunks:
                    for choice in chunk.choices:
                        self._write(choice.delta.content + choice.delta.refusal)
                        reason = choice.finish_reason or reason
        finally:
            if not self.text.endswith("\n"):
                self._end_line()
        if reason not in {"", "stop"}:
            print_line(open_console(stderr=True), f"The answer ended early: {reason}.", "yellow")

    def _write(self, piece: str) -> None:
        self.text += piece
        sys.stdout.write(visible(piece))
        sys.stdout.flush()

    def _end_line(self) -> None:
        if self.text or sys.stdout.isatty():
            sys.stdout.write("\n")
            sys.stdout.flush()


def _chunks(client: Client, request: ChatCompletionRequest) -> Generator[ChatCompletionChunk, None, None]:
    """An answer's chunks. Ctrl-C ends the call, and so does closing."""
    with hold_back():
        stream = client.completions.stream_chat_completion(request)
    try:
        chunks = stream.chunks()
        while True:
            with hold_back(stream.cancel):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        with hold_back():
            stream.cancel()


def _converse(client: Client, request: ChatCompletionRequest, connection: Connection) -> None:
    """Asks what is typed, line after line, each time with all that was said before."""
    _edit_lines()
    while (question := _read_line()) is not None:
        if not question.strip():
            continue
        request.messages.append(Message(role="user", content=question))
        answer = Answer()
        try:
            answer.show(client, request)
        except KeyboardInterrupt:
            pass
        except TrunklineError as error:
            connection.report(error)
        if answer.text:
            request.messages.append(Message(role="assistant", content=answer.text))
        else:
            del request.messages[-1]


def _read_line() -> str | None:
    """The next line typed; None at the end. Ctrl-C drops what was typed so far."""
    while True:
        try:
            return _utf8(input(_PROMPT if sys.stdout.isatty() else ""))
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        except EOFError:
            sys.stdout.write("\n")
            return None


def _edit_lines() -> None:
    """Gives typed lines the arrow keys and a history, where the system has them."""
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")


def _question(message: str | None) -> str | None:
    """The one question to ask; None where a conversation is meant."""
    if message is None and sys.stdin.isatty():
        return None
    text = sys.stdin.buffer.read().decode(errors="replace") if message is None else _utf8(message)
    if not text.strip():
        raise typer.BadParameter("there is no question; give one, or pipe it in", param_hint="MESSAGE")
    return text.removesuffix("\n")


def _utf8(text: str) -> str:
    """The text with what is no UTF-8 replaced: arguments and typed lines may hold any bytes."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
