"""Logs: one JSON object (or one readable line) an event, to standard error or a file, redacted as the last step.

The standard library's loggers (Sanic's, gRPC's, asyncio's) come out of the same end as ours.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast

import orjson
import structlog

from server.telemetry.redaction import Redaction

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


class Sink:
    """Where log lines end: masks the secrets in each and writes it.

    Args:
        redaction: knows the secrets; may be replaced when they become known.
        stream: where to write.
    """

    def __init__(self, redaction: Redaction, stream: TextIO) -> None:
        self.redaction = redaction
        self._stream = stream

    def line(self, text: str) -> None:
        """Writes one line; a log that cannot be written must not end a request."""
        try:
            self._stream.write(self.redaction.text(text) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    # What structlog calls: one method a level, all the same to a sink.
    msg = debug = info = warning = error = critical = exception = line


def configure(level: str, json: bool, file: Path | None, redaction: Redaction) -> Sink:
    """Sets up logging for this process, anew each time it is called.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        json: JSON lines; else readable ones.
        file: where to append; None: standard error.
        redaction: knows the secrets.
    """
    stream = sys.stderr
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = file.open("a", encoding="utf-8")
    sink = Sink(redaction, stream)
    render = _json_line if json else _readable_line
    structlog.configure(
        processors=[_stamp, _exception_text, cast(structlog.typing.Processor, render)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=cast(Callable[..., object], lambda *_: sink),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Forward(sink, render)]
    root.setLevel(max(_LEVELS[level], logging.WARNING if level != "DEBUG" else 0))
    for name in ("sanic.root", "sanic.error", "sanic.access", "sanic.server", "sanic.websockets"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    return sink


class _Forward(logging.Handler):
    """Takes the standard library's records to the sink."""

    def __init__(self, sink: Sink, render: Callable[[object, str, Mapping[str, object]], str]) -> None:
        super().__init__()
        self._sink = sink
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, object] = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exception"] = "".join(traceback.format_exception(*record.exc_info))
        self._sink.line(self._render(None, record.levelname.lower(), _stamp(None, record.levelname.lower(), event)))


def _stamp(_: object, level: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    event["level"] = "error" if level == "exception" else level
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return event


def _exception_text(_: object, level: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    if event.pop("exc_info", None):
        event["exception"] = traceback.format_exc()
    return event


def _json_line(_: object, level: str, event: Mapping[str, object]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _readable_line(_: object, level: str, event: Mapping[str, object]) -> str:
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "level", "time", "exception"))
    exception = f"\n{event['exception']}" if "exception" in event else ""
    return f"{event.get('time')} {str(event.get('level')).upper():8}{event.get('event')} {rest}{exception}"
