"""Log lines: text for people or one JSON object a line, each with the trace that it belongs to.

What libraries say through the standard library's logging comes out the same way.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from loguru import logger
from opentelemetry import trace

from moored.telemetry import levels
from moored.telemetry.concern import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from loguru import Message, Record

_LIBRARIES: Final = "WARNING"
"""From which level on libraries are heard, whatever our own level is."""
_COLOURED: Final = (
    "<dim>{time:YYYY-MM-DD HH:mm:ss.SSS}</dim> <level>{level: <7}</level> {message}<dim>",
    "</dim>\n{exception}",
)
_PLAIN: Final = ("{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {message}", "\n{exception}")


def configure(
    form: Literal["text", "json"],
    level: str,
    stream: TextIO | None = None,
    *,
    also: Callable[[Message], None] | None = None,
) -> None:
    """Make ``stream`` (standard error if None) and ``also`` all that log lines go to.

    ``level`` is as ``moored.telemetry.levels`` has it.
    """
    heard = levels.parse(level)
    out = stream or sys.stderr
    coloured = form == "text" and out.isatty() and not os.environ.get("NO_COLOR")
    options: dict[str, Any] = {
        "level": levels.lowest(heard).upper(),
        "filter": {name: wanted.upper() for name, wanted in heard.items()},
        "backtrace": False,
        "diagnose": False,
    }
    logger.remove()
    logger.configure(patcher=_place)
    if form == "json":
        logger.add(lambda message: _write_json(out, message), format="{message}", **options)
    else:
        head, tail = _COLOURED if coloured else _PLAIN
        logger.add(
            out,
            format=lambda record: head + _extras(record) + tail,
            colorize=coloured,
            **options,
        )
    if also is not None:
        logger.add(also, format="{message}", **options)
    logging.basicConfig(handlers=[_Forward()], level=_LIBRARIES, force=True)


class _Forward(logging.Handler):
    """Hands what the standard library's logging gets on to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        name = record.name
        about = logger.bind(logger=name).opt(exception=record.exc_info)
        about = about.patch(lambda line: line.update({"name": name}))
        try:
            # As an argument: the text may hold braces.
            about.log(_level(record), "{}", record.getMessage())
        except (TypeError, ValueError):  # arguments that do not fit their message
            self.handleError(record)


def _level(record: logging.LogRecord) -> str | int:
    try:
        return logger.level(record.levelname).name
    except ValueError:
        return record.levelno


def _place(record: Record) -> None:
    """Say which trace a line is of, and which container it is about if that is known."""
    concern = current()
    if concern is not None and concern.container:
        record["extra"].setdefault("container", concern.container)
        if concern.run and record["extra"]["container"] == concern.container:
            record["extra"].setdefault("run", concern.run)
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        record["extra"]["trace_id"] = trace.format_trace_id(context.trace_id)
        record["extra"]["span_id"] = trace.format_span_id(context.span_id)


def _extras(record: Record) -> str:
    # A template: values are filled in later, and never read as one themselves.
    return "".join(f" {name}={{extra[{name}]}}" for name in record["extra"] if name != "span_id")


def _write_json(out: TextIO, message: Message) -> None:
    record = message.record
    line: dict[str, object] = {
        "time": record["time"].isoformat(),
        "level": record["level"].name.lower(),
        "message": record["message"],
        "logger": record["name"],
        **record["extra"],
    }
    if error := record["exception"]:
        line["exception"] = "".join(
            traceback.format_exception(error.type, error.value, error.traceback)
        )
    out.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    out.flush()
