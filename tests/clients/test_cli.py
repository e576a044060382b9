"""The `trunkline` command asks a gateway."""

import re
from importlib import metadata
from pathlib import Path
from typing import cast

import grpc
import pytest
import trustme

from tests.clients.command import on_terminal, run
from tests.clients.fake_gateway import Failure, Gateway, error_info, retry_info, run_gateway
from trunkline.v1.completion_service_pb2 import StreamChatCompletionRequest
from trunkline.v1.models_service_pb2 import RefreshProviderModelsRequest

ESCAPE = "\x1b"


def asked(gateway: Gateway, index: int = -1) -> StreamChatCompletionRequest:
    """The request of one of the gateway's calls."""
    return cast(StreamChatCompletionRequest, gateway.script.calls[index].request)


def said(request: StreamChatCompletionRequest) -> list[tuple[str, str]]:
    """Who said what in a request."""
    return [(message.role, message.content) for message in request.chat.messages]


async def test_the_version_is_shown() -> None:
    ended = await run("version")

    assert (ended.code, ended.out) == (0, f"trunkline {metadata.version('trunkline')}\n")


async def test_a_question_is_answered(gateway: Gateway) -> None:
    ended = await run("chat", "Hello there", "--target", gateway.target)

    assert (ended.code, ended.out, ended.err) == (0, "Hello there\n", "")
    assert asked(gateway).chat.model == "echo"
    assert not asked(gateway).chat.HasField("temperature")


async def test_a_question_may_be_piped_in(gateway: Gateway) -> None:
    ended = await run("chat", "--target", gateway.target, stdin="Größe\nund Gewicht?\n".encode())

    assert (ended.code, ended.out) == (0, "Größe\nund Gewicht?\n")
    assert said(asked(gateway)) == [("user", "Größe\nund Gewicht?")]


async def test_bytes_that_are_no_text_are_replaced(gateway: Gateway) -> None:
    ended = await run("chat", "--target", gateway.target, stdin=b"a\xffb")

    assert (ended.code, ended.out) == (0, "a�b\n")


async def test_what_the_output_cannot_have_is_replaced(gateway: Gateway) -> None:
    ended = await run("chat", "Größe", "--target", gateway.target, env={"PYTHONIOENCODING": "ascii"})

    assert (ended.code, ended.out, ended.err) == (0, "Gr??e\n", "")


async def test_options_travel(gateway: Gateway) -> None:
    options = ("--system", "Be brief.", "--temperature", "0.5", "--api-key", "k-1", "--model", "echo")
    await run("chat", "Hi", *options, "--target", gateway.target)

    assert said(asked(gateway)) == [("system", "Be brief."), ("user", "Hi")]
    assert asked(gateway).chat.temperature == 0.5
    assert gateway.script.calls[0].metadata["authorization"] == "Bearer k-1"


async def test_options_may_come_from_the_environment(gateway: Gateway) -> None:
    variables = {"SYSTEM": "Be brief.", "TEMPERATURE": "0", "API_KEY": "k-1", "MODEL": "echo", "TIMEOUT": "60"}
    env = {f"TRUNKLINE_{name}": value for name, value in variables.items()} | {"TRUNKLINE_TARGET": gateway.target}
    ended = await run("chat", "Hi", env=env)

    assert ended.out == "Hi\n"
    assert said(asked(gateway))[0] == ("system", "Be brief.")
    assert asked(gateway).chat.HasField("temperature")
    assert gateway.script.calls[0].metadata["authorization"] == "Bearer k-1"
    assert gateway.script.calls[0].time_remaining_s < 62


async def test_an_answer_cannot_command_the_terminal(gateway: Gateway) -> None:
    ended = await run("chat", "--target", gateway.target, stdin=f"a{ESCAPE}]0;title\x07b\tc\x9b2J".encode())

    assert ended.out == "a]0;titleb\tc2J\n"


async def test_a_model_that_is_not_there_is_one_line_and_a_failure(gateway: Gateway) -> None:
    ended = await run("chat", "Hi", "--model", "nobody", "--target", gateway.target)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "model_not_found: No route leads to the model 'nobody' (request req-1)."
        " Hint: `trunkline models` lists what can be asked for.\n"
    )


async def test_an_answer_that_breaks_off_is_a_failure_after_what_came(gateway: Gateway) -> None:
    ended = await run("chat", "Hi", "--model", "broken", "--target", gateway.target)

    assert (ended.code, ended.out) == (1, "word\n")
    assert ended.err.startswith("provider_error: The stream broke off")


@pytest.mark.parametrize("target", ["127.0.0.1:1", "unix:/nowhere/at-all.sock"])
async def test_a_gateway_that_is_not_there_is_told_with_a_hint(target: str) -> None:
    ended = await run("models", "--target", target)

    assert ended.code == 1
    assert ended.err.startswith("UNAVAILABLE: ")
    assert f"is a gateway running at {target}?" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("failure", "hint"),
    [
        (Failure(grpc.StatusCode.UNAUTHENTICATED, "No.", (error_info("INVALID_API_KEY"),)), "TRUNKLINE_API_KEY"),
        (Failure(grpc.StatusCode.UNAUTHENTICATED, "No."), "TRUNKLINE_API_KEY"),
        (
            Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "No.", (error_info("RATE_LIMITED"), retry_info(2.5))),
            "try again in 2.5 s",
        ),
        (Failure(grpc.StatusCode.UNIMPLEMENTED, "No."), "no trunkline gateway"),
        (Failure(grpc.StatusCode.ABORTED, f"a\nb{ESCAPE}[31m"), "ABORTED: a b[31m.\n"),
    ],
    ids=["key", "key without a reason", "rate limit", "another server", "control characters"],
)
async def test_a_failure_is_one_line_with_what_may_help(gateway: Gateway, failure: Failure, hint: str) -> None:
    gateway.script.failures.append(failure)
    ended = await run("models", "--target", gateway.target)

    assert ended.code == 1
    assert hint in ended.err
    assert ended.err.count("\n") == 1
    assert ESCAPE not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("chat",),
        ("chat", "  "),
        ("chat", "Hi", "--target", "localhost"),
        ("chat", "Hi", "--target", "http://127.0.0.1:50051"),
        ("chat", "Hi", "--temperature", "3"),
        ("chat", "Hi", "--api-key", "two\nlines"),
        ("models", "--timeout", "0"),
        ("models", "--timeout", "nan"),
        ("models", "--timeout", "inf"),
        ("models", "--tls-ca", "/nowhere/ca.pem"),
        ("no-such-command",),
    ],
    ids=" ".join,
)
async def test_what_makes_no_sense_is_a_fault_of_usage(arguments: tuple[str, ...]) -> None:
    ended = await run(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err


async def test_models_are_listed_without_escape_codes_in_a_pipe(gateway: Gateway) -> None:
    ended = await run("models", "--target", gateway.target)

    assert ended.code == 0
    assert [re.split("  +", line.strip()) for line in ended.out.splitlines()] == [
        ["MODEL", "PROVIDER", "CONTEXT", "MAX OUTPUT", "PRICE", "STATUS"],
        ["echo", "echo", "-", "-", "-", "healthy"],
        ["gpt-5", "openai", "272000", "128000", "1.25 / 10", "healthy"],
    ]
    assert ESCAPE not in ended.out


async def test_the_models_of_one_provider_are_listed(gateway: Gateway) -> None:
    ended = await run("models", "--provider", "openai", "--target", gateway.target)

    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["MODEL", "gpt-5"]
    assert [call.method for call in gateway.script.calls] == ["ListProviderModels"]


@pytest.mark.parametrize(
    ("arguments", "asked", "said"),
    [
        (("--provider", "openai"), ["providers/openai"], ""),
        ((), ["providers/echo", "providers/openai"], "echo: its list of models is not new: unsupported"),
    ],
    ids=["one", "all"],
)
async def test_providers_are_asked_first_where_wanted(
    gateway: Gateway, arguments: tuple[str, ...], asked: list[str], said: str
) -> None:
    ended = await run("models", *arguments, "--refresh", "--target", gateway.target)
    refreshed = [call.request for call in gateway.script.calls if call.method == "RefreshProviderModels"]

    assert ended.code == 0
    assert [cast(RefreshProviderModelsRequest, request).name for request in refreshed] == asked
    assert ended.err.strip() == said


async def test_tls_is_spoken_where_asked(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    async with run_gateway(credentials=grpc.ssl_server_credentials([pair])) as gateway:
        ended = await run("chat", "Hi", "--target", gateway.target, "--tls-ca", str(tmp_path / "ca.pem"))

    assert (ended.code, ended.out) == (0, "Hi\n")


async def test_a_conversation_remembers_what_was_said(gateway: Gateway) -> None:
    async with on_terminal("chat", "--target", gateway.target, "--system", "Be brief.") as terminal:
        await terminal.see("> ")
        terminal.type("one two\n")
        await terminal.see("one two\r\none two\r\n> ")
        terminal.type("three\n")
        await terminal.see("three\r\nthree\r\n> ")
        terminal.type("\x04")
        assert await terminal.end() == 0

    assert said(asked(gateway)) == [
        ("system", "Be brief."),
        ("user", "one two"),
        ("assistant", "one two"),
        ("user", "three"),
    ]


async def test_ctrl_c_stops_the_answer_and_not_the_conversation(gateway: Gateway) -> None:
    async with on_terminal("chat", "--target", gateway.target, "--model", "endless") as terminal:
        await terminal.see("> ")
        terminal.type("Hi\n")
        await terminal.see("word")
        terminal.interrupt()
        await terminal.see("> ")
        await gateway.script.idle.wait()
        assert gateway.script.running == 0
        terminal.type("Go on\n")
        await terminal.see("word")
        terminal.interrupt()
        await terminal.see("> ")
        terminal.type("\x04")
        assert await terminal.end() == 0

    assert said(asked(gateway)) == [("user", "Hi"), ("assistant", "word"), ("user", "Go on")]


async def test_a_failed_question_is_forgotten_and_the_conversation_goes_on(gateway: Gateway) -> None:
    gateway.script.failures.append(Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too much.", (error_info("RATE_LIMITED"),)))
    async with on_terminal("chat", "--target", gateway.target) as terminal:
        await terminal.see("> ")
        terminal.type("one\n")
        await terminal.see("rate_limited: Too much.")
        await terminal.see("> ")
        terminal.type("two\n")
        await terminal.see("two\r\ntwo\r\n> ")
        terminal.type("\x04")
        assert await terminal.end() == 0

    assert said(asked(gateway)) == [("user", "two")]


async def test_an_interrupted_question_ends_the_command_without_a_trace(gateway: Gateway) -> None:
    async with on_terminal("chat", "Hi", "--target", gateway.target, "--model", "endless") as terminal:
        await terminal.see("word")
        terminal.interrupt()
        assert await terminal.end() == 130

    await gateway.script.idle.wait()


async def test_a_failure_is_red_on_a_terminal(gateway: Gateway) -> None:
    arguments = ("chat", "Hi", "--model", "nobody", "--target", gateway.target)
    async with on_terminal(*arguments, env={"TERM": "xterm-256color"}) as terminal:
        await terminal.see(f"{ESCAPE}[31mmodel_not_found")
        assert await terminal.end() == 1


@pytest.mark.parametrize(("command", "count"), [("chat", 10), ("models", 9), ("check", 8), ("version", 0)])
async def test_every_option_has_its_variable_in_the_help(command: str, count: int) -> None:
    ended = await run(command, "--help", env={"COLUMNS": "200"})
    options = [line for line in ended.out.splitlines() if line.startswith("│ --") and "--help" not in line]

    assert ended.code == 0
    assert len(options) == count
    assert [line for line in options if "TRUNKLINE_" not in line] == []


async def test_explain_tells_where_a_request_would_go(gateway: Gateway) -> None:
    ended = await run("explain", "echo", "--target", gateway.target)
    assert ended.code == 0
    assert ended.out.splitlines()[0] == "echo, by priority"
    assert ended.out.splitlines()[2].split() == ["1", "echo", "echo", "model"]


async def test_explain_takes_only_operations_that_there_are(gateway: Gateway) -> None:
    ended = await run("explain", "echo", "--operation", "dreams", "--target", gateway.target)
    assert ended.code == 2
    assert "must be one of chat" in ended.err
