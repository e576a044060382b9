"""Logs: one JSON object (or one readable line) an event, to standard error or a file, redacted as the last step.

The standard library's loggers (Sanic's, gRPC's, asyncio's) come out of the same end as ours.
"""

import asyncio
import atexit
import contextlib
import logging
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO, cast

import orjson
import structlog

from server.telemetry.redaction import Redaction

Event = MutableMapping[str, object]
Render = Callable[[Event], str]
"""An event's fields -> a line."""

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


_FOREIGN = ("sanic.root", "sanic.error", "sanic.access", "sanic.server", "sanic.websockets")
"""Loggers that have handlers of their own."""

_MOMENT_S = 0.02
"""How long a line that is not urgent may wait for others, so that a busy gateway masks and writes many at once."""

_PLAIN = re.compile(r"[^\s\"=\x00-\x1f\x7f]+")
"""A value that a readable line shows as it is."""


class Sink:
    """Where events end: makes a line of each, masks the secrets in it and writes it.

    Args:
        redaction: knows the secrets; may be replaced when they become known.
        stream: where to write.
        render: makes the lines.
        owned: whether the stream ends with the sink.
    """

    def __init__(self, redaction: Redaction, stream: TextIO, render: Render, owned: bool = False) -> None:
        self.redaction = redaction
        self._stream = stream
        self._render = render
        self._owned = owned
        self._waiting: deque[tuple[float, Event]] = deque()
        atexit.register(self.flush)

    def take(self, event: Event, urgent: bool = True) -> None:
        """Takes one event, whose values stay as they are. In a running loop, those that come together are written together.

        Args:
            event: its fields, without the time, which is now.
            urgent: whether it goes out at the end of this turn of the loop, with all that wait; else within a moment.
        """
        waiting = self._waiting
        waiting.append((time.time(), event))
        if not urgent and len(waiting) > 1:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if urgent:
            loop.call_soon(self.flush)
        else:
            loop.call_later(_MOMENT_S, self.flush)

    def flush(self) -> None:
        """Writes what waits; a log that cannot be written must not end a request."""
        lines: list[str] = []
        with contextlib.suppress(IndexError):
            while True:  # one by one, as other threads add and take events, too
                epoch_s, event = self._waiting.popleft()
                event["time"] = _told_time(epoch_s)
                lines.append(self._render(event))
        if not lines:
            return
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(self.redaction.text("\n".join(lines)) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Writes what waits and closes the file, where there is one; later lines are lost."""
        self.flush()
        if self._owned:
            self._stream.close()


def configure(level: str, json: bool, file: Path | None, redaction: Redaction) -> Sink:
    """Sets up logging for this process, anew each time it is called.

    Args:
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        json: JSON lines; else readable ones.
        file: where to append; None: standard error.
        redaction: knows the secrets.

    Raises:
        OSError: the file cannot be opened.
    """
    render = _json_line if json else _readable_line
    if file is None:
        sink = Sink(redaction, sys.stderr, render)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        sink = Sink(redaction, file.open("a", encoding="utf-8", errors="backslashreplace"), render, owned=True)
    structlog.configure(
        processors=[],
        wrapper_class=_logger_class(_LEVELS[level]),
        logger_factory=cast(Callable[..., object], lambda *_: sink),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    before, root.handlers = root.handlers, [_Forward(sink)]
    for handler in before:
        if isinstance(handler, _Forward):
            handler.close()
    # What libraries say besides has in it what passes through them: SQL with its values, headers in codes that nobody masks.
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    return sink


def _logger_class(threshold: int) -> type[structlog.BoundLoggerBase]:
    """The class of structlog's loggers: what its list of processors would do, in one step, for a third of the time."""

    class Logger(structlog.BoundLoggerBase):
        pass

    def method(name: str) -> Callable[..., None]:
        level = "error" if name == "exception" else name
        urgent = _LEVELS[level.upper()] > _LEVELS["INFO"]

        def log(self: Logger, event: str, **fields: object) -> None:
            if name == "exception":
                fields.setdefault("exc_info", True)
            if self._processors:  # `structlog.testing` puts one there to see what is logged
                self._proxy_to_logger(name, event, **fields)
                return
            written = {"event": event, **self._context, **fields, "level": level}
            if "exc_info" in written:
                _tell_exception(written)
            self._logger.take(written, urgent)

        def ignore(self: Logger, event: str, **fields: object) -> None:
            return None

        return log if _LEVELS[level.upper()] >= threshold else ignore

    for name in ("debug", "info", "warning", "error", "critical", "exception"):
        setattr(Logger, name, method(name))
    return Logger


class _Forward(logging.Handler):
    """Takes the standard library's records to the sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, object] = {"event": _message(record), "logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            event["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        event["level"] = record.levelname.lower()
        self._sink.take(event)

    def close(self) -> None:
        self._sink.close()
        super().close()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a record whose arguments do not fit its text is a fault of whoever wrote it, and no one else's
        return f"{record.msg} {record.args!r}"


@lru_cache(maxsize=1)
def _second(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()[:19]


def _told_time(epoch_s: float) -> str:
    """A time as RFC 3339 with milliseconds; most of it is the same for a whole second."""
    second, milliseconds = divmod(int(epoch_s * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}+00:00"


def _tell_exception(event: MutableMapping[str, object]) -> None:
    """Replaces `exc_info`, an exception, what `sys.exc_info` gives, or true for the one being handled, by its text."""
    given = event.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    elif given and not isinstance(given, BaseException):
        given = sys.exc_info()[1]
    if isinstance(given, BaseException):
        event["exception"] = "".join(traceback.format_exception(given))


def _json_line(event: Mapping[str, object]) -> str:
    try:
        return orjson.dumps(event, default=_text).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, an endless number: what is left is text
        return orjson.dumps({_text(key): _text(value) for key, value in event.items()}).decode()


def _readable_line(event: Mapping[str, object]) -> str:
    """One line and no more, whatever the values have in them; an exception's traceback stands under it."""
    shown = {key: value for key, value in event.items() if key not in ("event", "level", "time", "exception")}
    rest = "".join(f" {key}={_shown(value)}" for key, value in shown.items())
    exception = f"\n{event['exception']}" if "exception" in event else ""
    name = _text(event.get("event")).translate(_CONTROLS)
    return f"{event.get('time')} {str(event.get('level')).upper():8} {name}{rest}{exception}"


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""What would begin a new line or command a terminal, escaped."""


def _shown(value: object) -> str:
    text = _text(value)
    return text if _PLAIN.fullmatch(text) and text.isprintable() else orjson.dumps(text).decode().translate(_CONTROLS)


def _text(value: object) -> str:
    """Any value as text that UTF-8 can have."""
    try:
        return str(value).encode("utf-8", "backslashreplace").decode()
    except Exception:
        return f"<{type(value).__name__}>"
