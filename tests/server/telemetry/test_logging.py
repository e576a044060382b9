"""What comes out of the log: whose lines, at which level, in which form, and where."""

import gc
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
import structlog
from hpack import Encoder

from server.telemetry.logging import Sink, configure
from server.telemetry.redaction import Redaction

SECRET = "canary-0123456789"
Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "folder" / "gateway.log"


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """Leaves the process' logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    configure("WARNING", True, None, Redaction())
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def lines(file: Path) -> Lines:
    """What has been written, each line read as JSON."""
    return lambda: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_an_event_is_one_json_object_with_its_level_and_time(file: Path, lines: Lines) -> None:
    configure("INFO", True, file, Redaction())
    structlog.get_logger("x").info("started", port=8000, names=["a"])
    [line] = lines()
    assert line.pop("time")
    assert line == {"event": "started", "port": 8000, "names": ["a"], "level": "info"}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("DEBUG", ["debug", "info", "warning", "error", "critical"]),
        ("INFO", ["info", "warning", "error", "critical"]),
        ("WARNING", ["warning", "error", "critical"]),
        ("ERROR", ["error", "critical"]),
        ("CRITICAL", ["critical"]),
    ],
)
def test_the_level_decides_what_is_written(file: Path, lines: Lines, level: str, expected: list[str]) -> None:
    configure(level, True, file, Redaction())
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(structlog.get_logger(), name)("x")
    assert [line["level"] for line in lines()] == expected


def test_the_standard_librarys_loggers_end_in_the_same_place(file: Path, lines: Lines) -> None:
    configure("INFO", True, file, Redaction([SECRET]))
    for name in ("sanic.error", "sanic.root", "asyncio", "grpc", "anything"):
        logging.getLogger(name).error("%s broke with %s", "it", SECRET)
    assert [line["logger"] for line in lines()] == ["sanic.error", "sanic.root", "asyncio", "grpc", "anything"]
    assert {line["event"] for line in lines()} == {"it broke with [redacted]"}


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_libraries_tell_of_trouble_alone(file: Path, lines: Lines, level: str) -> None:
    configure(level, True, file, Redaction([SECRET]))
    Encoder().encode([("authorization", f"Bearer {SECRET}")])  # it tells what it made, which anybody can decode
    logging.getLogger("aiosqlite").debug("executing %s", "INSERT INTO completions")
    logging.getLogger("asyncio").info("small talk")
    assert lines() == []


def _fail() -> None:
    raise ValueError(f"no good: {SECRET}")


def test_an_exception_comes_with_its_traceback(file: Path, lines: Lines) -> None:
    configure("INFO", True, file, Redaction([SECRET]))
    log = structlog.get_logger()
    try:
        _fail()
    except ValueError as error:
        log.exception("handled")
        log.error("handled", exc_info=True)
        log.error("handled", exc_info=sys.exc_info())
        logging.getLogger("x").exception("handled")
        caught = error
    log.error("later", exc_info=caught)
    logging.getLogger("x").error("later", exc_info=caught)
    assert len(lines()) == 6
    for line in lines():
        assert line["level"] == "error"
        assert "in _fail" in str(line["exception"])
        assert str(line["exception"]).rstrip().endswith("ValueError: no good: [redacted]")


def test_no_exception_at_hand_is_no_exception_in_the_line(file: Path, lines: Lines) -> None:
    configure("INFO", True, file, Redaction())
    structlog.get_logger().error("x", exc_info=True)
    structlog.get_logger().error("x", exc_info=None)
    logging.getLogger("x").error("x", exc_info=True)
    assert [line.get("exception") for line in lines()] == [None, None, None]


def test_values_that_json_has_no_form_for_are_written_as_text(file: Path, lines: Lines) -> None:
    class Stubborn:
        def __str__(self) -> str:
            raise RuntimeError

    configure("INFO", True, file, Redaction())
    log = structlog.get_logger()
    log.info("x", value={1})
    log.info("x", value=2**80)
    log.info("x", value="\ud800")
    log.info("x", value=Stubborn())
    log.info("x\ud800", value=b"bytes")
    assert [line["value"] for line in lines()] == ["{1}", str(2**80), "\\ud800", "<Stubborn>", "b'bytes'"]


def test_a_record_whose_arguments_do_not_fit_is_written_all_the_same(file: Path, lines: Lines) -> None:
    configure("INFO", True, file, Redaction([SECRET]))
    logging.getLogger("x").error("%d of %s", SECRET)
    assert lines()[0]["event"] == "%d of %s ('[redacted]',)"


def test_readable_lines_show_level_event_and_values(file: Path) -> None:
    configure("INFO", False, file, Redaction([SECRET]))
    structlog.get_logger().warning("slow answer", provider="openai", text="a b", key=SECRET)
    time, rest = file.read_text(encoding="utf-8").split(" ", 1)
    assert time.endswith("+00:00")
    assert rest == 'WARNING  slow answer provider=openai text="a b" key=[redacted]\n'


def test_a_value_cannot_begin_another_readable_line(file: Path) -> None:
    configure("INFO", False, file, Redaction())
    structlog.get_logger().info("a\nb", model="x\r\n2026 ERROR forged\x1b[2J\u2028", name="a=b")
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\u2028" not in text


def test_a_readable_exception_stands_under_its_line(file: Path) -> None:
    configure("INFO", False, file, Redaction())
    try:
        _fail()
    except ValueError:
        structlog.get_logger().exception("broke")
    first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    assert first.endswith("ERROR    broke")
    assert second == "Traceback (most recent call last):"


def test_without_a_file_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO", True, None, Redaction())
    structlog.get_logger().info("hello")
    captured = capsys.readouterr()
    assert json.loads(captured.err)["event"] == "hello"
    assert captured.out == ""


def test_a_file_is_appended_to(file: Path, lines: Lines) -> None:
    for name in ("one", "two"):
        configure("INFO", True, file, Redaction())
        structlog.get_logger().info(name)
    assert [line["event"] for line in lines()] == ["one", "two"]


def test_configuring_again_replaces_everything_and_leaves_nothing_open(tmp_path: Path) -> None:
    before = structlog.get_logger("made before")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(5):
            configure("INFO", True, tmp_path / f"{number}.log", Redaction())
        gc.collect()
    before.info("x")
    logging.getLogger("y").error("y")
    written = [(tmp_path / f"{number}.log").read_text(encoding="utf-8").count("\n") for number in range(5)]
    assert written == [0, 0, 0, 0, 2]
    assert len(logging.getLogger().handlers) == 1


def test_a_log_that_cannot_be_written_is_silent() -> None:
    stream = io.StringIO()
    sink = Sink(Redaction(), stream, str)
    stream.close()
    sink.take({"event": "x"})


def test_lines_of_many_threads_are_each_written_once() -> None:
    stream = io.StringIO()
    sink = Sink(Redaction(), stream, lambda event: str(event["event"]))
    written = [[f"{writer} {number}" for number in range(3000)] for writer in range(8)]

    def write(lines: list[str]) -> None:
        for line in lines:
            sink.take({"event": line})

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(written)) as threads:
            for lines in written:
                threads.submit(write, lines)
    finally:
        sys.setswitchinterval(interval)
    sink.flush()
    assert sorted(stream.getvalue().splitlines()) == sorted(chain.from_iterable(written))


def test_a_file_that_cannot_be_opened_is_an_error_and_changes_nothing(file: Path, lines: Lines, tmp_path: Path) -> None:
    configure("INFO", True, file, Redaction())
    with pytest.raises(OSError):
        configure("INFO", True, tmp_path, Redaction())
    structlog.get_logger().info("still there")
    assert [line["event"] for line in lines()] == ["still there"]
