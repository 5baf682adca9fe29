"""The law: one line says one thing, knows its trace and its container, and none gets lost."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger
from opentelemetry.sdk.trace import TracerProvider

from moored.telemetry import levels
from moored.telemetry import logging as log
from moored.telemetry.concern import about, concerning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loguru import Record


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(level)
    logger.remove()
    logger.configure(patcher=_no_patch)
    logger.add(sys.stderr)


def _no_patch(record: object) -> None:
    """Undo what the module under test set: a patcher cannot be taken away."""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_json_line_is_one_object(out: io.StringIO) -> None:
    log.configure("json", "info", out)
    logger.bind(container="c0ffee", run=3).info("started\nand {more}")
    [line] = _lines(out)
    assert line["message"] == "started\nand {more}"
    assert (line["level"], line["container"], line["run"]) == ("info", "c0ffee", 3)
    assert line["time"]


def test_lines_within_a_span_name_its_trace(out: io.StringIO) -> None:
    log.configure("json", "info", out)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("start") as span:
        logger.info("inside")
    logger.info("outside")
    inside, outside = _lines(out)
    assert int(inside["trace_id"], 16) == span.get_span_context().trace_id
    assert int(inside["span_id"], 16) == span.get_span_context().span_id
    assert "trace_id" not in outside


def _break_with(secret: str) -> None:
    raise ValueError(f"broken after {len(secret)} characters")


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told_without_the_values_of_variables(out: io.StringIO, form: str) -> None:
    log.configure("json" if form == "json" else "text", "info", out)
    try:
        _break_with("hunter2"[::-1])
    except ValueError:
        logger.exception("cannot go on")
    assert "ValueError: broken after 7 characters" in out.getvalue()
    assert "2retnuh" not in out.getvalue()


def test_an_exception_stays_within_its_json_line(out: io.StringIO) -> None:
    log.configure("json", "info", out)
    logger.opt(exception=ValueError("broken")).error("cannot go on")
    [line] = _lines(out)
    assert line["exception"] == "ValueError: broken\n"


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_libraries_log_comes_out_too(out: io.StringIO, form: str) -> None:
    log.configure("json" if form == "json" else "text", "info", out)
    logging.getLogger("grpc._server").warning("odd {braces} of %s", "theirs")
    logging.getLogger("asyncio").info("chatter")
    assert "odd {braces} of theirs" in out.getvalue()
    assert "grpc._server" in out.getvalue()
    assert "chatter" not in out.getvalue()


def test_lines_below_the_level_are_not_written(out: io.StringIO) -> None:
    log.configure("text", "warning", out)
    logger.info("quiet")
    logger.warning("heard")
    assert "quiet" not in out.getvalue()
    assert "heard" in out.getvalue()


def test_text_names_the_container_and_has_no_colour_in_a_file(out: io.StringIO) -> None:
    log.configure("text", "info", out)
    logger.bind(container="c0ffee", run=3).bind(odd="{not} <a> template").info("started <red>")
    assert "started <red> container=c0ffee run=3 odd={not} <a> template\n" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_text_has_colours_on_a_terminal(out: io.StringIO) -> None:
    terminal = _Terminal()
    log.configure("text", "info", terminal)
    logger.bind(container="c0ffee").info("started <red>")
    assert "\x1b[" in terminal.getvalue()
    assert "started <red>" in terminal.getvalue()
    assert out.getvalue() == ""


def test_configuring_again_replaces_the_former_place(out: io.StringIO) -> None:
    log.configure("text", "info", out)
    other = io.StringIO()
    log.configure("text", "info", other)
    logger.info("once")
    assert out.getvalue() == ""
    assert other.getvalue().count("once") == 1


def _of_module(name: str, record: Record) -> None:
    record["name"] = name


def test_each_module_has_its_own_level(out: io.StringIO) -> None:
    log.configure("json", "warning,moored.network=debug,moored.network.cni=error", out)
    for name in ("moored.saga", "moored.network.edge", "moored.network.cni.pins"):
        theirs = logger.patch(partial(_of_module, name))
        theirs.debug("low")
        theirs.warning("high")
    assert [(line["logger"], line["message"]) for line in _lines(out)] == [
        ("moored.saga", "high"),
        ("moored.network.edge", "low"),
        ("moored.network.edge", "high"),
    ]


def test_libraries_are_modules_too(out: io.StringIO) -> None:
    log.configure("json", "info,grpc=error", out)
    logging.getLogger("grpc._server").warning("quiet")
    logging.getLogger("asyncio").warning("heard")
    assert [line["message"] for line in _lines(out)] == ["heard"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("loud", "'loud': a level is one of"),
        ("", "a level is one of"),
        ("info,", "a level is one of"),
        ("info,moored.network", "'moored.network': a level is one of"),
        ("info,moored.network=loud", "a level is one of"),
        ("=info", "must be LEVEL, or MODULE=LEVEL"),
        ("a b=info", "must be LEVEL, or MODULE=LEVEL"),
        ("info,debug", "the level of all is said twice"),
        ("a=info,a=debug", "'a' is said twice"),
    ],
)
def test_levels_that_cannot_be_meant_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        levels.parse(text)


def test_a_line_names_what_the_work_under_way_is_about(out: io.StringIO) -> None:
    log.configure("json", "info", out)
    with concerning():
        logger.info("not known yet")
        about("c0ffee")
        about("c0ffee", 2)
        logger.info("known")
        logger.bind(container="other").info("of another")
        about("c0ffee2")
        logger.info("of two")
    logger.info("after")
    assert [(line.get("container"), line.get("run")) for line in _lines(out)] == [
        (None, None), ("c0ffee", 2), ("other", None), (None, None), (None, None),
    ]  # fmt: skip
